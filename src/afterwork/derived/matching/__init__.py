"""Match changes with manifests: which caches have read what has changed."""
