"""Lists of keys in statements, in few lengths."""

from collections.abc import Sequence
from typing import TypeVar

Key = TypeVar("Key")

DOUBLED_UP_TO = 64
"""Up to this length, lists double from one length to the next. Longer ones grow by `STEP`."""

STEP = 100


def padded(keys: Sequence[Key]) -> Sequence[Key]:
    """Return keys, the last one repeated up to the next of few lengths.

    Each length makes a text of its own, which has to be prepared anew, and which drivers keep.
    """
    length = len(keys)
    wanted = 1 << (length - 1).bit_length() if 0 < length <= DOUBLED_UP_TO else -(-length // STEP) * STEP
    return [*keys, *(keys[-1] for _ in range(wanted - length))]
