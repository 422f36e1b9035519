"""What tests of caches start from."""

from tests.derived.stale_scene import behave, the_shelves

__all__ = ["behave", "the_shelves"]
