"""Changes, read from the journal.

SQLite's triggers write one row for each change. PostgreSQL's write the changes of a whole statement as one row, which
costs writers a good deal less: its `kind` is a small letter, and `old` and `new` are lists of images. The column `key`
then says where in an image the key is: at that place if it is a whole number; at the end if it is negative, as a text
that is null for rows without a key. In an update, each old image has only the values that differ and is followed by the
set of changed columns, for which `key_text` has the bits of the values; `ADDED` or null stand there where a change of
the key has left a row on one side only.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from afterwork.journal.watch import EVERY_COLUMN

Kind = Literal["I", "U", "D", "T"]
Image = tuple[str | None, ...]

ADDED = -1
"""In place of the changed columns of an update: the row has only the new image."""


@dataclass(frozen=True)
class Change:
    """A row was inserted, updated or deleted, or a table was emptied ("T"). `columns` is the set of changed columns, of
    all columns but for an update; `old` and `new` are the values of the valued columns before and after."""

    id: int
    tx: int
    moment: datetime
    watch: int
    kind: Kind
    key: int | str | None
    columns: int
    old: Image | None
    new: Image | None


class Entry(NamedTuple):
    """A row of the journal. What `kind`, `key`, `key_text`, `old` and `new` are differs, see above."""

    id: int
    tx: Any
    moment: Any
    watch: int
    kind: Any
    key: Any
    key_text: Any
    columns: int
    old: Any
    new: Any


def read(rows: Iterable[Any]) -> list[Change]:
    """The changes in rows of the journal, or of what was taken from it, in their order."""
    return [change for row in rows for change in _changes(row)]


def _changes(row: Entry) -> Iterator[Change]:
    match row.kind:
        case "i":
            yield from (_one(row, "I", EVERY_COLUMN, None, new) for new in row.new)
        case "d":
            yield from (_one(row, "D", EVERY_COLUMN, old, None) for old in row.old)
        case "u":
            yield from _updates(row)
        case kind:
            key = row.key if row.key is not None else row.key_text
            yield _change(row, kind, key, row.columns, _image(row.old), _image(row.new))


def _updates(row: Entry) -> Iterator[Change]:
    bits = [int(bit) for bit in row.key_text.split(",") if bit]
    for (*before, changed), after in zip(row.old, row.new, strict=True):
        if changed is None:
            yield _one(row, "D", EVERY_COLUMN, before, None)
        elif int(changed) == ADDED:
            yield _one(row, "I", EVERY_COLUMN, None, after)
        else:
            columns = int(changed)
            differing = [old if columns & bit else new for bit, old, new in zip(bits, before, after, strict=False)]
            yield _one(row, "U", columns, differing + after[len(bits) :], after)


def _one(row: Entry, kind: Kind, columns: int, old: list[str | None] | None, new: list[str | None] | None) -> Change:
    known = new if new is not None else old or []
    if row.key >= 0:
        return _change(row, kind, int(known[row.key] or 0), columns, _tuple(old), _tuple(new))
    without_key = [None if image is None else tuple(image[:-1]) for image in (old, new)]
    return _change(row, kind, known[-1], columns, *without_key)


def _change(
    row: Entry, kind: Kind, key: int | str | None, columns: int, old: Image | None, new: Image | None
) -> Change:
    tx = row.id if row.tx is None else int(row.tx)
    moment = datetime.fromisoformat(row.moment) if isinstance(row.moment, str) else row.moment
    return Change(row.id, tx, moment, row.watch, kind, key, columns, old, new)


def _image(value: Any) -> Image | None:
    return _tuple(json.loads(value) if isinstance(value, str) else value)


def _tuple(image: list[str | None] | None) -> Image | None:
    return None if image is None else tuple(image)
