"""Typed tree → closures, and what they need while they run."""
