"""Record what a run reads, wherever it reads it."""
