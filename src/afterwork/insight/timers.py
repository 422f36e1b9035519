"""Timers: when they fire, and the results of their rounds."""

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
from afterwork.model.known_names import instead_of
from afterwork.model.when import Timer
from afterwork.store import progress, tables
from afterwork.store.bounded_count import BOUND, NONE, Count
from afterwork.store.progress import ReportedProgress
from afterwork.store.readable_values import readable_columns

MAX_UPCOMING = 5
"""The most coming due times that are shown."""

PAST_PERIOD = timedelta(days=1)
"""The period whose runs are shown."""


@dataclass(frozen=True)
class TimerView:
    """A timer as it is shown. `schedule` is in words.

    Of its last round: its due time, when it began, the seconds until its last run ended, and how many matches it
    had, failed, and are left; `running` is the progress that current runs report. `known` says that the model has
    it; other timers do not fire.
    """

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
    """One timer. `upcoming` are its next due times, even while it is paused; `late` is for how long it is overdue.

    `criteria` selects its objects, as text. `past` are its runs by minute, oldest first.
    """

    timer: TimerView
    upcoming: Sequence[datetime]
    late: timedelta | None
    criteria: str | None
    max_answers: int | None
    misfire: str
    past: Sequence[RunMinute]


def detail(connection: Connection, model: ModelInfo, name: str, now: datetime) -> TimerDetail:
    timer = next((view for view in views(connection, model) if view.name == name), None)
    if timer is None:
        known = instead_of(name, sorted(model.timers), verb="The model has", listed_by="timers")
        raise NotThere(f"There is no timer {shown(name)}. {known}")
    timed = model.timers.get(name)
    minutes = history.past(connection, now - PAST_PERIOD, name).minutes
    past = [minute for minute in minutes if minute.source == "timer"]
    if timed is None:
        return TimerDetail(timer, [], None, None, None, "", past)
    upcoming = list(itertools.islice(_upcoming(timed.when, timer.due), MAX_UPCOMING))
    overdue = None if timer.due is None or timer.paused else max(timedelta(0), now - timer.due)
    criteria = None if timed.root is None else _text(timed.when.criteria)
    return TimerDetail(timer, upcoming, overdue or None, criteria, timed.when.max_answers, timed.when.misfire, past)


def _upcoming(when: Timer, due: datetime | None) -> Iterator[datetime]:
    while due is not None and due.year < MAXYEAR:
        yield due
        due = when.after(due, due)


def _text(criteria: Any) -> str:
    """Return a criteria as text: an expression, a statement, or the name of a function."""
    expression = expression_of(criteria)
    if expression is not None:
        return expression.text
    return str(criteria) if isinstance(criteria, Select) else f"{criteria.__module__}.{criteria.__qualname__}"


def views(connection: Connection, model: ModelInfo) -> list[TimerView]:
    """Return all timers by name: those of the model, and others that the database still knows."""
    c, h = tables.timer.c, tables.match.c
    own = select(h.view_model).where(h.view_model == c.name, h.done.is_(None), h.error.is_(None)).limit(BOUND + 1)
    left = select(func.count()).select_from(own.correlate(tables.timer).subquery()).scalar_subquery()
    f = tables.unnoted_match.c
    to_note = select(func.coalesce(func.sum(f.size), 0)).where(f.timer == c.name).scalar_subquery()
    own_columns = readable_columns(tables.timer, connection.dialect.name)
    rows = {row.name: row for row in connection.execute(select(*own_columns, (left + to_note).label("left")))}
    said = progress.of_matches(connection)
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
        name, words, lane, row.due, row.paused, row.last_due, row.fired, took, row.matches, row.failed,
        Count.up_to(row.left), row.error, known=timed is not None,
    )  # fmt: skip
