"""What can be read of timers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from afterwork.model.reading import ReadModel
from afterwork.store import progress, tables
from afterwork.store.progress import Said


@dataclass(frozen=True)
class TimerView:
    """A timer as it is shown. `schedule` is in words. Of its last round: the due time that it was for, when it began,
    how many seconds until its last run had ended, how many objects it hit, how many failed and how many are left;
    `running` is what runs that go on have said of themselves by `aw.progress`. `known` says that the model has it; a
    timer that it has not does not fire."""

    name: str
    schedule: str
    lane: str | None
    due: datetime | None
    paused: bool
    last_due: datetime | None
    fired: datetime | None
    took: float | None
    hits: int
    failed: int
    left: int
    error: str | None
    known: bool
    running: Sequence[Said] = ()


def views(connection: Connection, model: ReadModel) -> list[TimerView]:
    """All timers, those of the model and those that the database still knows, by name."""
    c, h = tables.timer.c, tables.hit.c
    left = select(func.count()).where(h.view_model == c.name, h.done.is_(None), h.error.is_(None)).scalar_subquery()
    rows = {row.name: row for row in connection.execute(select(tables.timer, left.label("left")))}
    said = progress.of_hits(connection)
    names = sorted(rows.keys() | model.timers.keys())
    return [replace(_view(model, name, rows.get(name)), running=said.get(name, ())) for name in names]


def _view(model: ReadModel, name: str, row: Row[Any] | None) -> TimerView:
    timed = model.timers.get(name)
    words = timed.when.words() if timed is not None else row.schedule if row is not None else ""
    lane = None if timed is None else timed.lane
    if row is None:
        return TimerView(name, words, lane, None, False, None, None, None, 0, 0, 0, None, known=True)
    took = None if row.ended is None or row.fired is None else (row.ended - row.fired).total_seconds()
    return TimerView(
        name, words, lane, row.due, row.paused, row.last_due, row.fired, took, row.hits, row.failed, row.left,
        row.error, known=timed is not None,
    )  # fmt: skip
