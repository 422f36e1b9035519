"""The kinds of reads, and the one number, the read key, that stands for a read.

A manifest is a set of read keys, and so is what a change touches; where the two meet, a cache is stale. The upper part
of a read key is the number of its pattern, the lower part tells the row, or the values, that were read.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from afterwork.store.journal.spelling import spelled

KEY_BITS = 47
"""Bits of a read key for the row or the values. The uppermost of them marks a hash."""

_HASHED = 1 << (KEY_BITS - 1)

Key = int | str


@dataclass(frozen=True)
class RowRead:
    """A read of one row by its primary key: that it exists, and the columns in the mask `columns`.

    `own_column` is the column of that row that the reader itself writes: if others write it, it is to be put right.
    """

    table_id: int
    columns: int
    own_column: int = 0


@dataclass(frozen=True)
class QueryRead:
    """A read of all rows whose `equal` columns have certain values; without such columns, of all rows of the table.

    The answer is which rows those are, and what they have in the mask `columns`, by which the same query filters or
    orders further.
    """

    table_id: int
    equal: tuple[str, ...]
    columns: int


ReadPattern = RowRead | QueryRead


def read_key(pattern_number: int, key: Key) -> int:
    """Return the read key for a pattern's number and a key. A whole number of up to 46 bits is kept as it is."""
    return pattern_number << KEY_BITS | _lower(key)


def pattern_number(read_key: int) -> int:
    """Return the number of a read key's pattern."""
    return read_key >> KEY_BITS


def row_number(read_key: int) -> int | None:
    """Return the whole number that a read key was made of; None where it was hashed."""
    lower = read_key & ((1 << KEY_BITS) - 1)
    return None if lower & _HASHED else lower


def _lower(key: Key) -> int:
    if type(key) is int and 0 <= key < _HASHED:
        return key
    if isinstance(key, str):
        if not _is_number(key):
            return _hashed(spelled(key))
        key = int(key)
    return key if isinstance(key, int) and 0 <= key < _HASHED else _hashed(_as_text(key))


def _as_text(key: Any) -> str:
    """Return the journal's text for what SQLite may keep in place of a whole number."""
    return f"X'{key.hex().upper()}'" if isinstance(key, bytes) else str(key)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19 and (text == "0" or text[0] != "0")


def _hashed(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return _HASHED | (int.from_bytes(digest, "big") & (_HASHED - 1))
