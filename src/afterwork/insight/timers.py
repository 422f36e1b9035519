"""What can be read of timers."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, select

from afterwork.errors import NotThere, shown
from afterwork.insight import history
from afterwork.insight.history import RunMinute
from afterwork.model.expression import expression_of
from afterwork.model.inspection import ModelInfo
from afterwork.model.when import Timer
from afterwork.store import progress, tables
from afterwork.store.bounded_count import BOUND, NONE, Count
from afterwork.store.progress import ReportedProgress
from afterwork.store.readable_values import readable_columns

MAX_UPCOMING = 5
"""Due times to come that are shown."""

PAST_PERIOD = timedelta(days=1)
"""For how long what a timer's runs came to is shown."""


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
    matches: int
    failed: int
    left: Count
    error: str | None
    known: bool
    running: Sequence[ReportedProgress] = ()


@dataclass(frozen=True)
class TimerDetail:
    """One timer. `upcoming` are its next due times, also while it is paused; `late` is for how long it is overdue.
    `criteria` is what finds its objects, as text. `past` is what its runs came to, in each minute in which some ended,
    oldest first."""

    timer: TimerView
    upcoming: Sequence[datetime]
    late: timedelta | None
    criteria: str | None
    max_answers: int | None
    misfire: str
    past: Sequence[RunMinute]


def detail(connection: Connection, model: ModelInfo, name: str, now: datetime) -> TimerDetail:
    """One timer. Raises `NotThere` if neither the model nor the database knows it."""
    found = next((one for one in views(connection, model) if one.name == name), None)
    if found is None:
        known = ", ".join(sorted(model.timers)) or "none"
        raise NotThere(f"There is no timer {shown(name)}. The model has: {known}.")
    timed = model.timers.get(name)
    past = [one for one in history.past(connection, now - PAST_PERIOD, name).minutes if one.source == "timer"]
    if timed is None:
        return TimerDetail(found, [], None, None, None, "", past)
    upcoming = list(itertools.islice(_upcoming(timed.when, found.due), MAX_UPCOMING))
    overdue = None if found.due is None or found.paused else max(timedelta(0), now - found.due)
    criteria = None if timed.root is None else _text(timed.when.criteria)
    return TimerDetail(found, upcoming, overdue or None, criteria, timed.when.max_answers, timed.when.misfire, past)


def _upcoming(when: Timer, due: datetime | None) -> Iterator[datetime]:
    while due is not None and due.year < MAXYEAR:
        yield due
        due = when.after(due, due)


def _text(criteria: Any) -> str:
    """A criteria as people read it: an expression, a statement, or the name of a function."""
    expression = expression_of(criteria)
    if expression is not None:
        return expression.text
    return str(criteria) if isinstance(criteria, Select) else f"{criteria.__module__}.{criteria.__qualname__}"


def views(connection: Connection, model: ModelInfo) -> list[TimerView]:
    """All timers, those of the model and those that the database still knows, by name."""
    c, h = tables.timer.c, tables.hit.c
    own = select(h.view_model).where(h.view_model == c.name, h.done.is_(None), h.error.is_(None)).limit(BOUND + 1)
    left = select(func.count()).select_from(own.correlate(tables.timer).subquery()).scalar_subquery()
    f = tables.found.c
    to_note = select(func.coalesce(func.sum(f.size), 0)).where(f.timer == c.name).scalar_subquery()
    own_columns = readable_columns(tables.timer, connection.dialect.name)
    rows = {row.name: row for row in connection.execute(select(*own_columns, (left + to_note).label("left")))}
    said = progress.of_hits(connection)
    names = sorted(rows.keys() | model.timers.keys())
    return [replace(_view(model, name, rows.get(name)), running=said.get(name, ())) for name in names]


def _view(model: ModelInfo, name: str, row: Any) -> TimerView:
    timed = model.timers.get(name)
    words = timed.when.words() if timed is not None else row.schedule if row is not None else ""
    lane = None if timed is None else timed.lane
    if row is None:
        return TimerView(name, words, lane, None, False, None, None, None, 0, 0, NONE, None, known=True)
    took = None if row.ended is None or row.fired is None else (row.ended - row.fired).total_seconds()
    return TimerView(
        name, words, lane, row.due, row.paused, row.last_due, row.fired, took, row.hits, row.failed,
        Count.up_to(row.left), row.error, known=timed is not None,
    )  # fmt: skip
