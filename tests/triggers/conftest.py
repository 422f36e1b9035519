"""What tests of caches start from."""

from tests.triggers.stale_scene import behave, the_shelves

__all__ = ["behave", "the_shelves"]
