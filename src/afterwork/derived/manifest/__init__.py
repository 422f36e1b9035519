"""The reads of a run, as numbers: read patterns, read keys, and the manifest of each cache."""
