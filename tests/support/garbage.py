"""Garbage that a test makes, and that must be gone when it ends."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected() -> Iterator[None]:
    """Collect what the block leaves behind, and nothing older: to go through all that tests have made takes seconds."""
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
