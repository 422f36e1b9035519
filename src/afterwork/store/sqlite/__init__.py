"""SQLite: a single file with a single writer."""
