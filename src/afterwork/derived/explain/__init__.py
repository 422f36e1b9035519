"""Explain a value: what it read, what made it stale, and who reads it."""
