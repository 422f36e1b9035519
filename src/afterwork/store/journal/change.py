"""Changes, read from the journal.

SQLite's triggers write one row for each change. PostgreSQL's write the changes of a whole statement as one row, which
costs writers a good deal less: its `kind` is a small letter, and `old` and `new` are lists of images.

    kind     | key           | key_text         | old                 | new
    I, U, D  | number key    | any other key    | image, null for I   | image, null for D
    T        | null          | null             | null                | null
    i        | key position  | null             | null                | list of images
    d        | key position  | null             | list of images      | null
    u        | key position  | bits of values   | list of differences | list of images

The key position says where a whole number as key is in an image; if negative, a text at its end is the key, null for
rows without one. A difference has only the values that differ, and after them the set of changed columns, for which
`key_text` has the bits of the values. `MOVED` replaces that set for a row with another key or none, whose old image is
whole; `ADDED` or null replaces it where a row is on one side only.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, NamedTuple

from afterwork.store.journal.tracked_table import EVERY_COLUMN

_LITERAL = re.compile(r"'([^']*+(?:''[^']*+)*+)'|(NULL)")
"""A text as SQL writes it, or null."""

ChangeKind = Literal["I", "U", "D", "T"]
Image = tuple[str | None, ...]

ADDED = -1
"""A marker instead of the changed columns of an update: the row has only the new image."""

MOVED = -2
"""A marker instead of the changed columns of an update: its images belong to two rows, a removed and a new one."""


class Change(NamedTuple):
    """A row was inserted, updated or deleted; or "T", any row may have changed: the table was emptied, or a column's
    type is newer than the triggers. `columns` is a bit mask: the changed columns of an
    update, else all; `old` and `new` are the values of the valued columns before and after."""

    id: int
    tx: int
    changed_at: datetime
    table_id: int
    kind: ChangeKind
    key: int | str | None
    columns: int
    old: Image | None
    new: Image | None


class JournalEntry(NamedTuple):
    """A row of the journal. The contents of `kind`, `key`, `key_text`, `old` and `new` vary, see above."""

    id: int
    tx: Any
    changed_at: Any
    table_id: int
    kind: Any
    key: Any
    key_text: Any
    columns: int
    old: Any
    new: Any


def changes_in(rows: Iterable[Any]) -> list[Change]:
    """Return the changes in rows of the journal, or of entries taken from it, in their order."""
    return [change for row in rows for change in _changes(row)]


def _changes(row: JournalEntry) -> Iterator[Change]:
    match row.kind:
        case "i":
            make = _maker(row)
            return (make("I", EVERY_COLUMN, None, new) for new in row.new)
        case "d":
            make = _maker(row)
            return (make("D", EVERY_COLUMN, old, None) for old in row.old)
        case "u":
            return _updates(row, _maker(row))
        case kind:  # here the key may be whatever SQLite keeps in a column for numbers
            key = text_in(row.key if row.key is not None else row.key_text)
            old = _image(row.old)
            new = old if row.new == row.old else _image(row.new)  # mostly: no value by which others ask has changed
            return iter(
                [Change(row.id, _tx(row), moment_of(row.changed_at), row.table_id, kind, key, row.columns, old, new)]
            )


ImageValues = list[str | None]
Maker = Callable[[ChangeKind, int, ImageValues | None, ImageValues | None], Change]


def _updates(row: JournalEntry, make: Maker) -> Iterator[Change]:
    bits = [int(bit) for bit in row.key_text.split(",") if bit]
    valued = len(bits)
    pairs = [(before, after, _columns(before)) for before, after in zip(row.old, row.new, strict=True)]
    # A row may have the key that another one has given up.
    yield from (make("D", EVERY_COLUMN, before[:-1], None) for before, _, columns in pairs if columns in {None, MOVED})
    for before, after, columns in pairs:
        if columns in {ADDED, MOVED}:
            yield make("I", EVERY_COLUMN, None, after)
        elif columns is not None:
            differing = [old if columns & bit else new for bit, old, new in zip(bits, before, after, strict=False)]
            yield make("U", columns, differing + after[valued:], after)


def _columns(before: ImageValues) -> int | None:
    """Return the changed columns of a pair of images, or the marker in their place."""
    return None if before[-1] is None else int(before[-1])


def _maker(row: JournalEntry) -> Maker:
    """Return a maker of a statement's changes from images, without the key at their end, if it is there."""
    number, tx, changed_at, table_id, position = row.id, _tx(row), moment_of(row.changed_at), row.table_id, row.key

    def by_number(kind: ChangeKind, columns: int, old: ImageValues | None, new: ImageValues | None) -> Change:
        key = int((new if new is not None else old or [])[position] or 0)
        return Change(number, tx, changed_at, table_id, kind, key, columns, _tuple(old), _tuple(new))

    def by_text(kind: ChangeKind, columns: int, old: ImageValues | None, new: ImageValues | None) -> Change:
        key = (new if new is not None else old or [])[-1]
        images = [None if image is None else tuple(image[:-1]) for image in (old, new)]
        return Change(number, tx, changed_at, table_id, kind, key, columns, *images)

    return by_text if position is not None and position < 0 else by_number


def _tx(row: JournalEntry) -> int:
    return row.id if row.tx is None else int(row.tx)


def moment_of(value: Any) -> datetime:
    """Return a timestamp of the journal."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _image(value: Any) -> Image | None:
    value = text_in(value)
    return _tuple(_texts(value) if isinstance(value, str) else value)


def _texts(image: str) -> ImageValues:
    """Return the texts of an image by SQLite's triggers, which older versions wrote as JSON."""
    if image.startswith("["):
        return list(json.loads(image))
    values = [None if null else text for text, null in _LITERAL.findall(image)]
    return [text and text.replace("''", "'") for text in values] if "''" in image else values


def key_as_bytes(key: str) -> str:
    """Return SQL for SQLite that reads a key. A text that is not UTF-8 would keep the driver from reading any row;
    bytes are written as `quote()` does, so that they match no text's key."""
    return (
        f"CASE typeof({key}) WHEN 'text' THEN CAST({key} AS BLOB) WHEN 'blob' THEN CAST(quote({key}) AS BLOB)"
        f" ELSE {key} END"
    )


def text_in(value: Any) -> Any:
    """Return a value that SQLite had, which may have been bytes where a text should be."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _tuple(image: ImageValues | None) -> Image | None:
    return None if image is None else tuple(image)
