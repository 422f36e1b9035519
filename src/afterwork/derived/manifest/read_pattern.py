"""What can be read of a table, and the one number that stands for one such read.

A manifest is a set of these numbers, so is what a change touches; where the two meet, a cache is stale. The upper part
of a number is the shape of the read, the lower one says of which row, or of rows with which values.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from afterwork.store.journal.spelling import spelled

KEY_BITS = 47
_HASHED = 1 << (KEY_BITS - 1)

Key = int | str


@dataclass(frozen=True)
class RowRead:
    """One row of a table was read, by its primary key: that it exists, and the columns in `columns`. `written` is the
    column of that row that whoever has read it writes: if others write it, it is to be put right."""

    table_id: int
    columns: int
    written: int = 0


@dataclass(frozen=True)
class QueryRead:
    """The rows of a table were asked for whose columns `equal` have certain values: which there are, and which of them
    have what in `columns` (by which the same question filters or orders further). With no `equal`, all rows."""

    table_id: int
    equal: tuple[str, ...]
    columns: int


ReadPattern = RowRead | QueryRead


def read_key(shape: int, key: Key) -> int:
    """The number for a read of the shape with this number. A whole number of up to 46 bits stands in it as it is."""
    return shape << KEY_BITS | _lower(key)


def pattern_number(number: int) -> int:
    """The number of the shape in a token."""
    return number >> KEY_BITS


def row_number(number: int) -> int | None:
    """The whole number that a token was made of; None where it can't be had back."""
    lower = number & ((1 << KEY_BITS) - 1)
    return None if lower & _HASHED else lower


def _lower(key: Key) -> int:
    if type(key) is int and 0 <= key < _HASHED:
        return key
    if isinstance(key, str):
        if not _is_number(key):
            return _hashed(spelled(key))
        key = int(key)
    return key if isinstance(key, int) and 0 <= key < _HASHED else _hashed(_plain(key))


def _plain(key: Any) -> str:
    """The text of what SQLite may keep in place of a whole number, as the journal has it."""
    return f"X'{key.hex().upper()}'" if isinstance(key, bytes) else str(key)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and (text == "0" or text[0] != "0")


def _hashed(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return _HASHED | (int.from_bytes(digest, "big") & (_HASHED - 1))
