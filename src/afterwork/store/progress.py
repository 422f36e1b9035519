"""The progress of running jobs, and requests to stop them. As in leases, a run is named by the key of its ticket or
match."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, bindparam, column, delete, select, text

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.tables import match as matches
from afterwork.store.tables import progress

CANCELLED = "cancelled"
"""The error of a match that was ended by hand."""

FORGOTTEN_AFTER = timedelta(days=1)
"""The time for which the progress of a run is kept whose server died."""

_NOTE = (
    text(
        "INSERT INTO afterwork_progress (ticket, done, total, at) VALUES (:ticket, :done, :total, :at)"
        " ON CONFLICT (ticket) DO UPDATE SET done = excluded.done, total = excluded.total, at = excluded.at"
        " RETURNING stop"
    )
    .bindparams(bindparam("at", type_=UtcDateTime()))
    .columns(column("stop", progress.c.stop.type))
)
_ASK = text(
    "INSERT INTO afterwork_progress (ticket, at, stop) SELECT id, :at, true FROM afterwork_match"
    " WHERE view_model = :timer AND done IS NULL AND error IS NULL ON CONFLICT (ticket) DO UPDATE SET stop = true"
).bindparams(bindparam("at", type_=UtcDateTime()))
_ASK_ONE = text(
    "INSERT INTO afterwork_progress (ticket, at, stop) VALUES (:ticket, :at, true)"
    " ON CONFLICT (ticket) DO UPDATE SET stop = true"
).bindparams(bindparam("at", type_=UtcDateTime()))

_ASKED = DirectStatement(select(progress.c.ticket).where(progress.c.stop, progress.c.ticket == bindparam("ticket")))


@dataclass(frozen=True)
class ReportedProgress:
    """The progress that a run on an object reported, and when. `stopping` says that it was asked to stop."""

    root_id: str | None
    done: int | None
    total: int | None
    at: datetime
    stopping: bool


def note(connection: Connection, ticket: str, done: int, total: int | None, now: datetime) -> bool:
    """Record the progress of a run. Return whether it was asked to stop."""
    values = {"ticket": ticket, "done": done, "total": total, "at": now}
    return bool(connection.execute(_NOTE, values).scalar_one())


def forget(connection: Connection, ticket: str) -> None:
    """Forget the progress of a run, but not that it was asked to stop."""
    connection.execute(delete(progress).where(progress.c.ticket == ticket, ~progress.c.stop))


def ask_to_stop(connection: Connection, timer: str, now: datetime) -> int:
    """Ask the runs of all pending matches of a timer to stop. Return their number."""
    return connection.execute(_ASK, {"timer": timer, "at": now}).rowcount


def ask_these_to_stop(connection: Connection, tickets: Collection[str], now: datetime) -> None:
    if tickets:
        connection.execute(_ASK_ONE, [{"ticket": ticket, "at": now} for ticket in tickets])


def asked_to_stop(connection: Connection, tickets: Collection[str]) -> set[str]:
    c = progress.c
    return set(connection.execute(select(c.ticket).where(c.stop, c.ticket.in_(tickets))).scalars())


def was_asked_to_stop(connection: Connection, ticket: str) -> bool:
    return bool(_ASKED.execute(connection, {"ticket": ticket}))


def let_go_on(connection: Connection, tickets: Collection[str]) -> None:
    """Withdraw requests to stop: these runs begin anew."""
    connection.execute(delete(progress).where(progress.c.ticket.in_(tickets)))


def of_matches(connection: Connection) -> dict[str, list[ReportedProgress]]:
    """Return the progress of the runs of pending matches, by timer."""
    c, h = progress.c, matches.c
    runs = connection.execute(select(c.ticket)).scalars().all()  # few; of matches that wait, there may be many
    reports = (
        select(h.view_model, h.root_id, c.done, c.total, c.at, c.stop)
        .join(matches, h.id == c.ticket)
        .where(h.id.in_(runs), h.done.is_(None), h.error.is_(None))
        .order_by(h.execute_earliest, h.id)
    )
    by_timer: dict[str, list[ReportedProgress]] = {}
    for timer, *report in connection.execute(reports):
        by_timer.setdefault(timer, []).append(ReportedProgress(*report))
    return by_timer


def of_tickets(connection: Connection, tickets: Collection[str]) -> dict[str, ReportedProgress]:
    """Return the progress of the runs of these tickets, by ticket."""
    c = progress.c
    reports = select(c.ticket, c.done, c.total, c.at, c.stop).where(c.ticket.in_(tickets))
    return {ticket: ReportedProgress(None, *report) for ticket, *report in connection.execute(reports)}


def prune(connection: Connection, now: datetime, most: int) -> int:
    """Delete up to `most` rows that belong to no run. Return how many; 0 says that none is left."""
    return connection.execute(delete(progress).where(progress.c.ticket.in_(_expired(now).limit(most)))).rowcount


def has_expired(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a row belongs to no run."""
    return _expired(now).exists()


def _expired(now: datetime) -> Select[str]:
    c, m = progress.c, matches.c
    going_on = select(m.id).where(m.id == c.ticket, m.done.is_(None), m.error.is_(None)).exists()
    return select(c.ticket).where(c.at < now - FORGOTTEN_AFTER, ~going_on)
