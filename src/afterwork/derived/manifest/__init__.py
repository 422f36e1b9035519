"""What a run has read, as numbers: read patterns, read keys, and the manifest of each cache."""
