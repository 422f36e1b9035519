"""Afterwork in web frameworks, one small file for each. `docs/howto/frameworks.md` tells of them."""
