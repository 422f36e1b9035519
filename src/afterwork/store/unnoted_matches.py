"""The objects of a round that are not noted as matches yet, a slice per row.

A round that finds many objects would keep others from writing while it notes them all. So its transaction leaves them
here, in a few rows, and they become matches a slice at a time, each slice in its own transaction.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from afterwork.store.tables import unnoted_match as unnoted

STEP = timedelta(microseconds=1)
"""The difference between the timestamps of two consecutive matches."""


@dataclass(frozen=True)
class Slice:
    """Some of a round's objects, in order. They run in this order, with one `STEP` between each and the next, beginning
    with the timestamp `first`. `due` and `variables` are those of the round."""

    timer: str
    first: datetime
    roots: Sequence[str | None]
    due: datetime
    variables: str | None


def add(connection: Connection, slices: Iterable[Slice]) -> None:
    """Store slices until they are noted."""
    rows = [
        {
            "timer": chunk.timer,
            "first": chunk.first,
            "size": len(chunk.roots),
            "roots": json.dumps(list(chunk.roots)),
            "due": chunk.due,
            "variables": chunk.variables,
        }
        for chunk in slices
    ]
    if rows:
        connection.execute(insert(unnoted), rows)


def take(connection: Connection, timer: str) -> Slice | None:
    """Take the first slice of a timer that no other server is taking, for the open transaction. Return None if none is
    left."""
    row = connection.execute(_of(timer).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return None
    connection.execute(delete(unnoted).where(unnoted.c.timer == timer, unnoted.c.first == row.first))
    return _slice(row)


def roots(connection: Connection, timer: str) -> set[str | None]:
    """Return the objects of a timer that are not noted yet."""
    return {root for row in connection.execute(_of(timer)) for root in _slice(row).roots}


def last(connection: Connection, timer: str) -> datetime | None:
    """Return the timestamp of a timer's last match that is not noted yet; None without any."""
    c = unnoted.c
    row = connection.execute(select(c.first, c.size).where(c.timer == timer).order_by(c.first.desc()).limit(1)).first()
    return None if row is None else row.first + (row.size - 1) * STEP


def drop(connection: Connection, timer: str) -> int:
    """Drop the slices of a timer. Return the number of their objects."""
    count = connection.execute(select(func.sum(unnoted.c.size)).where(unnoted.c.timer == timer)).scalar()
    connection.execute(delete(unnoted).where(unnoted.c.timer == timer))
    return int(count or 0)


def _of(timer: str) -> Select[Any]:
    return select(*unnoted.c).where(unnoted.c.timer == timer).order_by(unnoted.c.first)


def _slice(row: Row[Any]) -> Slice:
    return Slice(row.timer, row.first, json.loads(row.roots), row.due, row.variables)
