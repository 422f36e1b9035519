"""The cause that made a cache stale, as a value and as the text that is stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from afterwork.store.journal.change import Change
from afterwork.store.journal.continuity import Interruption
from afterwork.store.journal.tracked_table import TrackedTable


@dataclass(frozen=True)
class Cause:
    """Why a cache had to run.

    `kind` is a change's kind, or "new", "fill", "gap", "time", "hand", "touch", "feeder" or "aside". A change has the
    row, and old and new values where they are known; a gap has the reason `why` changes of the table may have been
    missed, and the time when that was noticed; a run by hand has `who` asked for it.
    """

    kind: str
    table: str | None = None
    key: str | None = None
    columns: tuple[str, ...] = ()
    old: dict[str, str | None] | None = None
    new: dict[str, str | None] | None = None
    tx: int | None = None
    moment: datetime | None = None
    who: str | None = None
    why: str | None = None

    def __str__(self) -> str:
        phrases = {
            "new": "the object was new",
            "time": "a moment has passed",
            "hand": f"{self.who} asked for it",
            "touch": f"rows of {self.table} have changed",
            "feeder": "a value that it is made of is stale",
            "aside": "it could not be made right together with others",
            "fill": "it was new, or its code had changed",
            "gap": f"changes of {self.table} may have been missed: {self.why} (noticed at {self.moment})",
            "I": f"{self._row} was added",
            "D": f"{self._row} was deleted",
            "T": f"{self.table} was emptied, or changed after a migration",
        }
        return phrases.get(self.kind) or f"{self._row} was changed: {', '.join(self._changed)}"

    @property
    def _row(self) -> str:
        return f"{self.table} {self.key}" if self.key is not None else f"a row of {self.table}"

    @property
    def _changed(self) -> list[str]:
        old, new = self.old or {}, self.new or {}
        return [
            f"{name} from {old[name]} to {new[name]}" if name in old and name in new else name for name in self.columns
        ]


def cause_of(change: Change, table: TrackedTable | None) -> Cause:
    if table is None:
        return Cause(change.kind, tx=change.tx, moment=change.changed_at)
    columns = tuple(table.names(change.columns)) if change.kind == "U" else ()
    return Cause(
        change.kind,
        table.table.fullname,
        None if change.key is None else str(change.key),
        columns,
        _image(change.old, columns, table),
        _image(change.new, columns, table),
        change.tx,
        change.changed_at,
    )


def missed_changes(gaps: Sequence[Interruption], now: datetime) -> Cause:
    """Return the cause that changes of some tables may have been missed, as noticed now."""
    if len(gaps) == 1:
        return Cause("gap", gaps[0].table, why=gaps[0].why, moment=now)
    tables = ", ".join(gap.table for gap in gaps)
    return Cause("gap", tables, why="; ".join(f"{gap.table}: {gap.why}" for gap in gaps), moment=now)


def restored(what: str, now: datetime) -> Cause:
    """Return the cause that the whole database was restored, as noticed now."""
    return Cause("gap", "all tables", why=what, moment=now)


def cause_text(cause: Cause) -> str:
    known = {name: value for name, value in vars(cause).items() if value not in (None, (), {})}
    # On SQLite, a key may be a text that UTF-8 can't encode.
    return json.dumps(known, default=_plain, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def read_cause(text: str | None) -> Cause | None:
    if text is None:
        return None
    stored: dict[str, Any] = json.loads(text)
    moment = stored.get("moment")
    return Cause(
        **stored
        | {"columns": tuple(stored.get("columns", ())), "moment": datetime.fromisoformat(moment) if moment else None}
    )


def _image(
    values: tuple[str | None, ...] | None, columns: tuple[str, ...], table: TrackedTable
) -> dict[str, str | None]:
    if values is None:
        return {}
    known = dict(zip(table.valued, values, strict=False))
    return {name: known[name] for name in columns if name in known}


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
