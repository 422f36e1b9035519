"""The objects that a round found and that are not noted as matches yet, a slice in each row.

A round that finds many objects would keep others from writing while it notes them all. So its transaction leaves them
here, in a few rows, and they become matches a slice at a time, each slice in a transaction of its own.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from afterwork.store.tables import unnoted_match as unnoted

STEP = timedelta(microseconds=1)
"""What tells the moments of two matches apart, of which one comes after the other."""


@dataclass(frozen=True)
class Slice:
    """Some of the objects of a round, in order. They run in this order, with one `STEP` between each and the next,
    beginning with the moment `first`. `due` and `variables` are those of the round."""

    timer: str
    first: datetime
    roots: Sequence[str | None]
    due: datetime
    variables: str | None


def add(connection: Connection, slices: Iterable[Slice]) -> None:
    """Keep slices until they are noted."""
    rows = [
        {
            "timer": one.timer,
            "first": one.first,
            "size": len(one.roots),
            "roots": json.dumps(list(one.roots)),
            "due": one.due,
            "variables": one.variables,
        }
        for one in slices
    ]
    if rows:
        connection.execute(insert(unnoted), rows)


def take(connection: Connection, timer: str) -> Slice | None:
    """Take the first slice of a timer that no other server takes just now, for the transaction that is open; None if
    there is none."""
    row = connection.execute(_of(timer).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    connection.execute(delete(unnoted).where(unnoted.c.timer == timer, unnoted.c.first == row.first))
    return _slice(row)


def roots(connection: Connection, timer: str) -> set[str | None]:
    """Return the objects of a timer that are still to be noted."""
    return {root for row in connection.execute(_of(timer)) for root in _slice(row).roots}


def last(connection: Connection, timer: str) -> datetime | None:
    """Return the moment of the last match of a timer that is still to be noted; None if there is none."""
    c = unnoted.c
    row = connection.execute(select(c.first, c.size).where(c.timer == timer).order_by(c.first.desc()).limit(1)).first()
    return None if row is None else row.first + (row.size - 1) * STEP


def drop(connection: Connection, timer: str) -> int:
    """Forget what is still to be noted of a timer. Returns how many objects that were."""
    count = connection.execute(select(func.sum(unnoted.c.size)).where(unnoted.c.timer == timer)).scalar()
    connection.execute(delete(unnoted).where(unnoted.c.timer == timer))
    return int(count or 0)


def _of(timer: str) -> Select[Any]:
    return select(*unnoted.c).where(unnoted.c.timer == timer).order_by(unnoted.c.first)


def _slice(row: Row[Any]) -> Slice:
    return Slice(row.timer, row.first, json.loads(row.roots), row.due, row.variables)
