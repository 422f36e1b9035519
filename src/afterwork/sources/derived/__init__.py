"""Stale caches start work."""
