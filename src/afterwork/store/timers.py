"""The statements on the rows of timers, and the table of their matches.

Matches have the form of tickets, so that the code that runs tickets also runs matches.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import registry

from afterwork.clock import MAX_CLOCK_SKEW
from afterwork.model.contract import Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store import tables
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.progress import CANCELLED, ask_to_stop, let_go_on
from afterwork.store.readable_values import readable_timestamp
from afterwork.store.tables import lease as leases
from afterwork.store.tables import match as matches
from afterwork.store.tables import suspect as suspects
from afterwork.store.tables import timer as timers
from afterwork.store.tables import unnoted_match as unnoted
from afterwork.store.texts import storable, storable_or_none
from afterwork.store.upsert import insert_into

MATCH = "afterwork-match-"
"""The prefix of the key of a match, which tells it from those of tickets."""


class Match:
    """One object that a round of a timer has matched."""


MATCHES = Contract.of(registry().map_imperatively(Match, tables.match))


ANEW = ("execute_earliest", "lane", "due", "variables")
"""The new values of a failed match when its object is matched again."""

MAX_DUE = 50
"""The maximum number of due timers that one look returns."""

# A match that waits for another attempt does not hold up the next round.
_PENDING = (
    "match.view_model = timer.name AND match.done IS NULL AND match.error IS NULL AND match.execute_earliest <= :now"
)
_OURS = {
    "postgresql": "timer.name IN (SELECT json_array_elements_text(CAST(:names AS json)))",
    "sqlite": "timer.name IN (SELECT value FROM json_each(:names))",
}
_END = {"postgresql": "TIMESTAMPTZ '9999-12-30 00:00:00+00'", "sqlite": "'9999-12-30'"}
"""The limit of the calendar: what is put off beyond it never comes."""

_READY = (
    "SELECT timer.name AS name FROM afterwork_timer AS timer WHERE {ours} AND NOT timer.paused"
    " AND (timer.due <= :now OR timer.set_at > :later)"
    " AND NOT EXISTS (SELECT 1 FROM afterwork_unnoted_match AS unnoted WHERE unnoted.timer = timer.name)"
    f" AND NOT EXISTS (SELECT 1 FROM afterwork_match AS match WHERE {_PENDING}) ORDER BY timer.due LIMIT {MAX_DUE}"
)
_TO_NOTE = (
    "SELECT timer.name AS name FROM afterwork_timer AS timer WHERE {ours}"
    f" AND timer.name IN (SELECT timer FROM afterwork_unnoted_match) ORDER BY timer.name LIMIT {MAX_DUE}"
)
_DUE = (
    "SELECT NULL AS name, min(timer.due) AS due, false AS to_note FROM afterwork_timer AS timer WHERE {ours}"
    " AND NOT timer.paused AND timer.due > :now AND timer.due < {end} UNION ALL"
    f" SELECT name, NULL, false FROM ({_READY}) AS ready UNION ALL SELECT name, NULL, true FROM ({_TO_NOTE}) AS noting"
)


@cache
def _rows(dialect: str) -> Select[Any]:
    c = timers.c
    moments = (readable_timestamp(moment, dialect).label(moment.name) for moment in (c.due, c.set_at, c.last_due))
    return select(c.name, c.schedule, *moments)


def _is_pending(name: str) -> ColumnElement[bool]:
    """Return the condition that a match belongs to a timer and is pending."""
    return and_(matches.c.view_model == name, matches.c.done.is_(None), matches.c.error.is_(None))


@dataclass(frozen=True)
class TimerRow:
    """The part of a timer's row that a round needs."""

    name: str
    schedule: str
    due: datetime
    set_at: datetime
    last_due: datetime | None


@dataclass(frozen=True)
class Cancellation:
    """The outcome of cancelling a round: the numbers of matches that ended unstarted, and of runs asked to stop."""

    ended: int
    asked_to_stop: int


@dataclass(frozen=True)
class Next:
    """The timers that are due, when another one will be, and those with slices to note."""

    ready: Sequence[str] = ()
    moment: datetime | None = None
    to_note: Sequence[str] = ()


class Timers:
    """The statements on timers for one kind of database, restricted to these names."""

    def __init__(self, dialect: str, names: Collection[str]) -> None:
        self._names = json.dumps(list(names))
        moments = (bindparam("now", type_=UtcDateTime()), bindparam("later", type_=UtcDateTime()))
        due = text(_DUE.format(ours=_OURS[dialect], end=_END[dialect])).bindparams(*moments)
        self._due = DirectStatement(due.columns(column("name"), column("due", UtcDateTime()), column("to_note")))

    def next(self, connection: Connection, now: datetime) -> Next:
        """Return the due timers, and the next due time, by one statement regardless of their number."""
        rows = self._due.execute(connection, {"names": self._names, "now": now, "later": now + MAX_CLOCK_SKEW})
        ready = [name for name, _, to_note in rows if name is not None and not to_note]
        noting = [name for name, _, to_note in rows if to_note]
        return Next(ready, next((due for name, due, _ in rows if name is None), None), noting)

    def lock(self, connection: Connection, name: str, now: datetime) -> TimerRow | None:
        """Lock the row of a due timer for the open transaction; None if another server has it."""
        c = timers.c
        going_on = select(matches.c.id).where(_is_pending(name), matches.c.execute_earliest <= now).exists()
        to_note = select(unnoted.c.timer).where(unnoted.c.timer == name).exists()
        is_due = c.name == name, ~c.paused, (c.due <= now) | (c.set_at > now + MAX_CLOCK_SKEW), ~going_on, ~to_note
        due = _rows(connection.dialect.name).where(*is_due).with_for_update(skip_locked=True)
        row = connection.execute(due).one_or_none()
        return None if row is None else TimerRow(*row)

    def hold(self, connection: Connection, name: str) -> TimerRow:
        """Lock the row of a timer, due or not, for the open transaction."""
        own = _rows(connection.dialect.name).where(timers.c.name == name).with_for_update()
        return TimerRow(*connection.execute(own).one())

    def get(self, connection: Connection, name: str) -> TimerRow | None:
        row = connection.execute(_rows(connection.dialect.name).where(timers.c.name == name)).one_or_none()
        return None if row is None else TimerRow(*row)

    def rows(self, connection: Connection) -> dict[str, TimerRow]:
        """Return all timers in the database, by name."""
        return {row.name: TimerRow(*row) for row in connection.execute(_rows(connection.dialect.name))}

    def add(self, connection: Connection, name: str, schedule: str, due: datetime, now: datetime) -> None:
        """Add a timer, unless another server that starts as well has done so meanwhile."""
        row = insert_into(connection.dialect.name, timers).values(name=name, schedule=schedule, due=due, set_at=now)
        connection.execute(row.on_conflict_do_nothing())

    def set_due(self, connection: Connection, name: str, due: datetime, now: datetime, **columns: Any) -> None:
        """Set the next due time of a timer, and other columns of its row."""
        if columns.get("error") is not None:
            columns["error"] = storable(connection, columns["error"])
        connection.execute(update(timers).where(timers.c.name == name).values(due=due, set_at=now, **columns))

    def count(self, connection: Connection, name: str, failed: int, error: str | None, now: datetime) -> None:
        """Count ended runs of a round, and how many of them failed."""
        values: dict[str, Any] = {"ended": now}
        if failed:
            values |= {"failed": timers.c.failed + failed, "error": storable_or_none(connection, error)}
        connection.execute(update(timers).where(timers.c.name == name).values(values))


def new_round(count: int, now: datetime) -> dict[str, Any]:
    """Return the values of a timer's row at the start of a round that matched `count` objects."""
    return {"fired": now, "ended": None if count else now, "matches": count, "failed": 0, "error": None}


def larger_round(count: int) -> dict[str, Any]:
    """Return the values for a running round that has matched `count` more objects."""
    return {"matches": timers.c.matches + count}


class Matches:
    def last_pending(self, connection: Connection, name: str, now: datetime) -> datetime | None:
        """Return the timestamp of the last match of the current round; None if no round is running."""
        moment = matches.c.execute_earliest
        return connection.execute(select(func.max(moment)).where(_is_pending(name), moment <= now)).scalar()

    def rounds(self, connection: Connection, keys: Collection[str]) -> dict[str, tuple[datetime | None, str | None]]:
        """Return the due time and variables of the rounds of matches, by the keys of the matches."""
        c = matches.c
        own = select(c.id, c.due, c.variables).where(c.id.in_(keys))
        return {row.id: (row.due, row.variables) for row in connection.execute(own)}

    def pending(self, connection: Connection, name: str) -> set[str | None]:
        """Return the objects with pending matches by a timer."""
        return set(connection.execute(select(matches.c.root_id).where(_is_pending(name))).scalars())

    def failed(self, connection: Connection, name: str) -> dict[str | None, str]:
        """Return the failed matches of a timer, by object. Cancelled ones are not failed."""
        c = matches.c
        own = select(c.root_id, c.id).where(c.view_model == name, c.error != CANCELLED)
        return {row.root_id: row.id for row in connection.execute(own)}

    def there(self, connection: Connection, name: str, roots: Collection[str | None]) -> dict[str | None, str | None]:
        """Return the existing matches of some objects by a timer, by object. A failed one has its key, to be reused; a
        pending one has None."""
        c = matches.c
        ours = c.root_id.is_(None) if None in roots else c.root_id.in_(roots)
        is_there = _is_pending(name) | and_(c.view_model == name, c.error != CANCELLED)
        own = select(c.root_id, c.id, c.error).where(is_there, ours)
        rows = connection.execute(own.order_by(c.error.is_(None)))  # if an object has both, the pending one counts
        return {row.root_id: None if row.error is None else row.id for row in rows}

    def forgive(self, connection: Connection, name: str) -> None:
        """Let the matches of a timer that were given up be tried again."""
        own = select(matches.c.id).where(matches.c.view_model == name, matches.c.error.is_not(None))
        connection.execute(delete(suspects).where(suspects.c.key.in_(own)))

    def cancel(self, connection: Connection, name: str, now: datetime) -> Cancellation:
        """End the unstarted matches of a timer, and ask its running ones to stop."""
        c = matches.c
        begun = select(leases.c.ticket).where(leases.c.ticket == c.id).exists()
        free = select(c.id).where(_is_pending(name), ~begun)
        cancelled = update(matches).where(c.id.in_(free.with_for_update(skip_locked=True)))
        ended = connection.execute(cancelled.values(done=now, delete_time=now, error=CANCELLED)).rowcount
        return Cancellation(ended, ask_to_stop(connection, name, now))

    def add(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            connection.execute(insert(matches), rows)

    def again(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Let failed matches run once more."""
        if rows:
            let_go_on(connection, [row["id"] for row in rows])
            cleared = {"done": None, "delete_time": None, "error": None, "attempts": 0}
            anew = {name: bindparam(f"new_{name}", type_=matches.c[name].type) for name in ANEW}
            again = update(matches).where(matches.c.id == bindparam("match")).values(**anew, **cleared)
            connection.execute(again, [{"match": r["id"], **{f"new_{name}": r[name] for name in ANEW}} for r in rows])
