"""The tables of caches, and the statements on them, their manifests and their queue."""
