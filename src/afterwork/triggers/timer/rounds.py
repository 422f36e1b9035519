"""A round of a timer: at a due time, once over all servers, the objects are found for which its job is to run.

What is found is noted, in the transaction that also says when the timer is due next. From then on the hits are run as
tickets are: in lanes, batched or by lease, with retries, by any server.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Alias, Connection, Select, Table

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.errors import ClaimLost, GivenUp
from afterwork.events import Events, Fired, Reached, RoundFailed, TimerIsGone
from afterwork.jobs.care import ROUNDS, Care, given_up
from afterwork.jobs.outcome import text_of
from afterwork.jobs.session import RunSession
from afterwork.model.kept import keep
from afterwork.model.reading import ReadModel
from afterwork.model.timer import TimedWork
from afterwork.model.variable import DUE, Variables
from afterwork.store import suspects
from afterwork.store.database import Database
from afterwork.store.hits import HIT
from afterwork.store.suspects import ROUND as ROUND_KEY
from afterwork.store.suspects import Suspect
from afterwork.store.timers import Cancellation, Hits, Timers, larger_round, new_round
from afterwork.triggers.timer.objects import found_by
from afterwork.triggers.timer.plan import changed, plan, resumed

ROUND = "round of "
STEP = timedelta(microseconds=1)
"""What tells the moments of two hits apart, of which one comes after the other."""

ROOM = timedelta(seconds=1)
"""In so long before the moment of a round its hits are put, so that those of another one at the same moment have room
behind them."""

KEPT_MINUTES = 0
"""How long the row of a hit is kept that has ended well."""


@dataclass(frozen=True)
class Rounds:
    """Fires the timers of one model in one database. `variables` are those of the server."""

    database: Database
    works: Mapping[str, TimedWork]
    timers: Timers
    clock: Clock
    events: Events
    variables: Mapping[str, Any]
    hits: Hits = field(default_factory=Hits)
    care: Care = field(default_factory=Care)

    def register(self, connection: Connection) -> None:
        """Note timers that are new, and those whose schedule has changed."""
        now = self.clock.now()
        with self.database.transaction(connection):
            known = self.timers.rows(connection)
            for name, timed in self.works.items():
                schedule, row = str(timed.when), known.get(name)
                if row is None:
                    self.timers.add(connection, name, schedule, timed.when.first(now), now)
                elif row.schedule != schedule:
                    due = changed(timed.when, row.last_due, now)
                    self.timers.set_due(connection, name, due, now, schedule=schedule)
        for name in known.keys() - self.works.keys():
            self.events.emit(TimerIsGone(name))

    def fire(self, connection: Connection) -> Iterator[str]:
        """Fire what is due, each in a transaction of its own. Yields the names of the timers that had a round."""
        ready = self.timers.next(connection, self.clock.now()).ready
        connection.commit()
        beyond = suspects.beyond(self.database, connection, [ROUND_KEY + name for name in ready])
        connection.commit()
        for name in ready:
            try:
                if (suspect := beyond.get(ROUND_KEY + name)) is not None:
                    raise given_up(suspect, self.database.settings)
                with self.care.trying(self.database, connection, ROUNDS, ROUND_KEY + name):
                    hit = self.database.again_if_outdated(partial(self._fire, connection, self.works[name]))
            except ClaimLost:
                continue  # another server is careful with it
            except Exception as error:
                if self.database.has_lost(connection, error) or self.database.is_contended(error):
                    raise
                self._failed(connection, self.works[name], error)
                yield name
            else:
                if hit is not None:
                    yield name

    def pause(self, connection: Connection, name: str) -> None:
        """Let a timer not fire until it is resumed. Hits that are noted already run."""
        with self.database.transaction(connection):
            row = self.timers.hold(connection, name)
            self.timers.set_due(connection, name, row.due, row.set_at, paused=True)

    def resume(self, connection: Connection, name: str) -> None:
        """Let a timer fire again. Due times that have passed meanwhile are not made up for."""
        now = self.clock.now()
        with self.database.transaction(connection):
            self._forgive(connection, name)
            row = self.timers.hold(connection, name)
            due = resumed(self.works[name].when, row.due, row.set_at, row.last_due, now)
            self.timers.set_due(connection, name, due, now, paused=False)

    def cancel(self, connection: Connection, name: str) -> Cancellation:
        """End what is left of a round: hits that have not begun at once, runs that go on when they next look."""
        with self.database.transaction(connection):
            self.timers.hold(connection, name)
            return self.hits.cancel(connection, name, self.clock.now())

    def dry(self, connection: Connection, name: str) -> Sequence[str | None]:
        """The objects that a round would hit now, in order; nothing is run, noted or changed. [None] stands for the one
        run of a job without a root."""
        timed, now = self.works[name], self.clock.now()
        self.database.execute_begin(connection)
        try:
            with CONTAINED:
                return self._found(connection, timed, self._begun(timed, now), RunSession(connection)).objects
        except _CalledOff:
            return []
        finally:
            self.database.give_up(connection)

    def now(self, connection: Connection, name: str) -> int:
        """Have a round now, besides those at due times. Returns how many objects it has hit. If a round goes on, they
        are added to it."""
        timed, now = self.works[name], self.clock.now()
        with self.database.transaction(connection):
            self._forgive(connection, name)
            row = self.timers.hold(connection, name)
            going_on = self.hits.last_pending(connection, name, now) is not None
            hit = self._hit(connection, timed, now, now)
            count = 0 if hit is None else hit.count
            others = {} if hit is None else larger_round(count) if going_on else new_round(count, now)
            self.timers.set_due(connection, name, row.due, row.set_at, last_due=now, **others)
            return count

    def _count_given_up(self, connection: Connection, name: str, beyond: Sequence[Suspect], now: datetime) -> None:
        """Hits that are not tried any more have failed as soon as their object is hit."""
        if beyond:
            why = str(given_up(beyond[-1], self.database.settings))
            self.timers.count(connection, name, len(beyond), why, now)

    def _forgive(self, connection: Connection, name: str) -> None:
        """Somebody wants a timer to be tried: what was given up is tried again."""
        suspects.clear(connection, [ROUND_KEY + name, *self.hits.failed(connection, name).values()])

    def _fire(self, connection: Connection, timed: TimedWork) -> int | None:
        now = self.clock.now()
        with self.database.transaction(connection):
            row = self.timers.lock(connection, timed.name, now)
            if row is None:
                return None
            planned = plan(timed.when, row.due, row.set_at, row.last_due, now)
            if planned.fire is None:
                self.timers.set_due(connection, timed.name, planned.due, now)
                return None
            hit = self._hit(connection, timed, planned.fire, now)
            others = {} if hit is None else new_round(hit.count, now)
            self.timers.set_due(connection, timed.name, planned.due, now, last_due=planned.fire, **others)
            if hit is not None:
                self._count_given_up(connection, timed.name, hit.given_up, now)
            self.events.emit(Reached("before commit", ROUND + timed.name))
        self.events.emit(Reached("after commit", ROUND + timed.name))
        if hit is None:
            return None
        self.events.emit(Fired(timed.name, planned.fire.isoformat(), hit.count))
        return hit.count

    def _hit(self, connection: Connection, timed: TimedWork, moment: datetime, now: datetime) -> "_Hit | None":
        """Note the hits of a round for the due time `moment`. Returns None if `before` has called it off."""
        session = RunSession(connection)
        try:
            variables = self._begun(timed, moment)
            with CONTAINED:
                found = self._found(connection, timed, variables, session)
                session.flush()
        except _CalledOff:
            return None
        finally:
            session.end()
        own = {"due": moment, "variables": keep(variables.changed())}
        return _Hit(len(found.objects), self._note(connection, timed, found, now, own))

    def _begun(self, timed: TimedWork, moment: datetime) -> Variables:
        given = {name: value for name, value in self.variables.items() if name in timed.variables}
        return Variables(timed.variables, {**timed.variables, **given, DUE: moment})

    def _found(self, connection: Connection, timed: TimedWork, variables: Variables, session: RunSession) -> "_Found":
        """The objects of a round, in order. Those that have failed come last, so that they never take the places of
        others; those that a run goes on for are left out."""
        if timed.when.before is not None and timed.when.before(variables) is False:
            raise _CalledOff
        failed, going_on = self.hits.failed(connection, timed.name), self.hits.pending(connection, timed.name)
        if timed.root is None:
            return _Found([] if None in going_on else [None], failed)
        most = timed.when.max_answers
        enough = None if most is None else most + len(failed) + len(going_on)
        keys = _only_keys(timed.criteria(variables), timed, enough)
        roots: dict[str, None] = {}
        for root in found_by(session, keys, timed.root):
            roots[root] = None
            if len(roots) == enough:
                break
        free = [root for root in roots if root not in going_on]
        return _Found(sorted(free, key=failed.__contains__)[:most], failed)

    def _note(
        self, connection: Connection, timed: TimedWork, found: "_Found", now: datetime, own: Mapping[str, Any]
    ) -> Sequence[Suspect]:
        """Note hits, but for those that have been given up, which are returned."""
        count = len(found.objects)
        first = _first_moment(self.hits.last_pending(connection, timed.name, now), count, now)
        rows = [
            {
                "id": found.failed.get(root) or f"{HIT}{uuid.uuid4().hex}",
                "view_model": timed.name,
                "root_id": root,
                # In this order, and all of them due.
                "execute_earliest": first + place * STEP,
                "keep_receipt_minutes": KEPT_MINUTES,
                "lane": timed.lane,
                "created": now,
                **own,
            }
            for place, root in enumerate(found.objects)
        ]
        beyond = suspects.beyond(self.database, connection, found.failed.values())
        again = [row for row in rows if row["root_id"] in found.failed]
        self.hits.again(connection, [row for row in again if row["id"] not in beyond])
        self.hits.add(connection, [row for row in rows if row["root_id"] not in found.failed])
        return [beyond[row["id"]] for row in again if row["id"] in beyond]

    def _failed(self, connection: Connection, timed: TimedWork, error: Exception) -> None:
        """The criteria, or what runs before it, has raised: the timer says so, and is due again at its next time."""
        text, now = str(error) if isinstance(error, GivenUp) else text_of(error), self.clock.now()
        with self.database.transaction(connection):
            row = self.timers.lock(connection, timed.name, now)
            if row is None:
                return
            planned = plan(timed.when, row.due, row.set_at, row.last_due, now)
            self.timers.set_due(
                connection, timed.name, planned.due, now,
                last_due=planned.fire or row.last_due, fired=now, ended=now, hits=0, failed=0, error=text,
            )  # fmt: skip
        self.events.emit(RoundFailed(timed.name, text))


@dataclass(frozen=True)
class _Found:
    """The objects of a round, and the hits that have failed, by object."""

    objects: Sequence[str | None]
    failed: Mapping[str | None, str]


@dataclass(frozen=True)
class _Hit:
    """How many objects a round has hit, and those hits that are not tried any more."""

    count: int
    given_up: Sequence[Suspect]


def _first_moment(last: datetime | None, count: int, now: datetime) -> datetime:
    """The moment of the first of so many hits, all of which are due now, and stand behind those that are pending."""
    first = now - max(ROOM, count * STEP)
    return first if last is None else max(first, last + STEP)


def rounds_of(
    database: Database,
    model: ReadModel,
    clock: Clock,
    events: Events,
    variables: Mapping[str, Any],
    care: Care | None = None,
) -> Rounds:
    """The rounds of a model's timers in a database."""
    timers = Timers(database.dialect, model.timers)
    return Rounds(database, model.timers, timers, clock, events, variables, care=care or Care())


class _CalledOff(Exception):
    """`before` has returned False."""


def _only_keys(query: Select[Any], timed: TimedWork, most: int | None) -> Select[Any]:
    """The same query for the keys of the objects alone. It gives no more than so many where each row is another object,
    which with a join it may not be."""
    assert timed.root is not None
    entity: Any = query.column_descriptions[0]["entity"]  # the class, or an alias of it
    members = [timed.root.get_property_by_column(key).key for key in timed.root.primary_key]
    keys = query.with_only_columns(*(getattr(entity, member) for member in members), maintain_column_froms=True)
    is_plain = [type(one) for one in query.get_final_froms()] in ([Table], [Alias])
    return keys.limit(most) if most is not None and is_plain and query._limit_clause is None else keys
