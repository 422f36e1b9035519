"""A world of caches in which anything may happen, and what must be true of it at every quiet moment."""
