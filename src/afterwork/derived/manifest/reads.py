"""The reads of one run, their kinds, and the one number, the read key, that stands for a read.

A manifest is a set of read keys, and so is what a change touches; where the two meet, a cache is stale. The upper part
of a read key is the number of its pattern, the lower part tells the row, or the values, that were read. All spellings
of one value (ids and timestamps as other programs write them, and trailing spaces) count as one key.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, time
from hashlib import blake2b
from typing import Any

from afterwork.store.journal.tracked_table import PART

UNIQUE_ID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){4}[0-9a-fA-F]{8})\}?")
MOMENT = re.compile(r"\d[-+:.,TWZ \d]{3,39}", re.ASCII | re.IGNORECASE)


def spelled(key: str) -> str:
    """Return the common spelling of a key."""
    return PART.join(map(_spelled, key.split(PART))) if PART in key else _spelled(key)


def _spelled(part: str) -> str:
    part = part.rstrip(" ")
    if len(part) >= 32 and (unique_id := UNIQUE_ID.fullmatch(part)) is not None:
        return unique_id[1].replace("-", "").lower()
    if MOMENT.fullmatch(part) is not None and not part.isdigit():
        return _moment(part) or part
    return part


def _moment(part: str) -> str | None:
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            # Types without a zone ignore it.
            return read(part).replace(tzinfo=None).isoformat(timespec="microseconds")
        except ValueError:
            pass
    return None


KEY_BITS = 47
"""Bits of a read key for the row or the values. The uppermost of them marks a hash."""

_HASHED = 1 << (KEY_BITS - 1)

ReadKey = int | str


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


def read_key(pattern_number: int, key: ReadKey) -> int:
    """Return the read key for a pattern's number and a key. A whole number of up to 46 bits is kept as it is."""
    return pattern_number << KEY_BITS | _lower(key)


def pattern_number(read_key: int) -> int:
    return read_key >> KEY_BITS


def same_row(read_key: int, pattern_number: int) -> int:
    """Return the read key of another pattern for the same row."""
    return pattern_number << KEY_BITS | read_key & ((1 << KEY_BITS) - 1)


def row_number(read_key: int) -> int | None:
    """Return the whole number that a read key was made of; None where it was hashed."""
    lower = read_key & ((1 << KEY_BITS) - 1)
    return None if lower & _HASHED else lower


def _lower(key: ReadKey) -> int:
    if type(key) is int and 0 <= key < _HASHED:
        return key
    if isinstance(key, str):
        # A number of the usual form. Each of many changes comes here, so this is no function of its own.
        if not (key.isdigit() and key.isascii() and len(key) < 19 and (key[0] != "0" or key == "0")):
            return _hashed(spelled(key))
        key = int(key)
    return key if isinstance(key, int) and 0 <= key < _HASHED else _hashed(_as_text(key))


def _as_text(key: Any) -> str:
    """Return the journal's text for what SQLite may keep in place of a whole number."""
    return f"X'{key.hex().upper()}'" if isinstance(key, bytes) else str(key)


def _hashed(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return _HASHED | (int.from_bytes(digest, "big") & (_HASHED - 1))


@dataclass
class Reads:
    """The reads of one run.

    `rows`: the columns (a mask; 0 for the mere existence) read of each row, by table id and key. `own`: the rows of the
    object itself into which the result is written. `queries`: the query reads, each with the key of the values it asked
    for (parts joined by `tracked_table.joined`; "" where it asked for all rows). `valid_until`: the first timestamp at
    which `aw.passed` would answer otherwise.
    """

    rows: dict[tuple[int, ReadKey], int] = field(default_factory=lambda: defaultdict(int))
    own: dict[tuple[int, ReadKey], RowRead] = field(default_factory=dict)
    queries: set[tuple[QueryRead, str]] = field(default_factory=set)
    valid_until: datetime | None = None

    def add_row(self, table_id: int, key: ReadKey, columns: int) -> None:
        self.rows[table_id, key] |= columns

    def add_own_row(self, table_id: int, key: ReadKey, columns: int, own_column: int) -> None:
        """Add the read of a row of the object itself, into whose column `own_column` the result is written."""
        columns |= self.rows.pop((table_id, key), 0)
        if (known := self.own.get((table_id, key))) is not None:
            columns |= known.columns
        self.own[table_id, key] = RowRead(table_id, columns, own_column)

    def add_query(self, query: QueryRead, key: str) -> None:
        self.queries.add((query, key))

    def add_all(self, others: "Reads") -> None:
        for (table_id, key), columns in others.rows.items():
            known = self.own.get((table_id, key))
            if known is None:
                self.add_row(table_id, key, columns)
            else:
                self.add_own_row(table_id, key, columns, known.own_column)
        for (table_id, key), row in others.own.items():
            self.add_own_row(table_id, key, row.columns, row.own_column)
        self.queries |= others.queries

    def limit_until(self, timestamp: datetime) -> None:
        """Limit the result's validity to a timestamp."""
        self.valid_until = timestamp if self.valid_until is None else min(self.valid_until, timestamp)
