"""Rounds of timers: at a due time, once over all servers, find a job's objects.

The objects are kept in the transaction that also sets the timer's next due time, and noted a slice at a time. From then
on the matches run as tickets do: in lanes, batched or by lease, with retries, by any server.
"""

import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Alias, Connection, Select, Table

from afterwork.boundary import CONTAINED
from afterwork.errors import ClaimLost, GivenUp, TimedOut
from afterwork.events import Fired, Reached, RoundFailed, TimerIsGone
from afterwork.jobs.quarantine import ROUNDS, given_up
from afterwork.jobs.run import Run, text_of
from afterwork.jobs.session import RunSession, ended
from afterwork.jobs.source import Due, EndedRuns, OwnWork, Source, SourceContext, WorkerHandle
from afterwork.model.timer import TimedWork
from afterwork.model.variable import DUE, Variables, dump_variables
from afterwork.sources.timer.criteria import found_by
from afterwork.sources.timer.due_times import DuePlan, changed, plan, resumed
from afterwork.sources.timer.noting import Noting
from afterwork.store import suspects
from afterwork.store.process import has_vanished
from afterwork.store.routing import routing_of
from afterwork.store.suspects import ROUND as ROUND_KEY
from afterwork.store.suspects import Suspect
from afterwork.store.timers import Cancellation, TimerRow, Timers, larger_round, new_round

Some = TypeVar("Some")

ROUND = "round of "


TIMERS = OwnWork("timers")


class Rounds(Source):
    """The rounds of the timers of one model in one database."""

    own = TIMERS

    def __init__(self, context: SourceContext) -> None:
        self.database, self.clock, self.events = context.database, context.clock, context.events
        self.variables, self.quarantine, self.time_limits = context.variables, context.quarantine, context.time_limits
        self.works = context.model.timers
        self.timers = Timers(self.database.dialect, self.works)
        self.noting = Noting(self.database, self.works, self.timers, self.clock, self.events)
        # The timers that workers of this server are firing: others leave them, since their criteria may hang.
        self._firing: dict[str, threading.Thread] = {}
        self._hung: dict[str, TimedOut] = {}
        """Of these, the timers whose threads were abandoned, each with the error that its rounds end with."""

    def register(self, connection: Connection) -> None:
        """Note new timers, and those whose schedule has changed."""
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

    def due(self, connection: Connection, now: datetime) -> Due:
        """Return whether a timer or a slice of a round is due now, and when the next one will be."""
        if not routing_of(self.database.settings).does("timers"):
            return Due()
        coming = self.timers.next(connection, now)
        return Due({TIMERS: [0]} if coming.ready or coming.to_note else {}, coming.moment)

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        for _ in self.fire(connection):
            yield []  # rounds only note matches, which run in lanes

    def fire(self, connection: Connection) -> Iterator[str]:
        """Fire due timers, each in its own transaction, after a further slice of each running round. Yield the names of
        the timers that had a round or a slice."""
        coming = self.timers.next(connection, self.clock.now())
        connection.commit()
        yield from self.noting.go_on(connection, coming.to_note)
        yield from self._fire_all(connection, coming.ready)

    def _fire_all(self, connection: Connection, ready: Sequence[str]) -> Iterator[str]:
        beyond = suspects.beyond(self.database, connection, [ROUND_KEY + name for name in ready])
        connection.commit()
        for name in ready:
            if name in self._hung:
                self._failed(connection, self.works[name], self._hung[name])
                yield name
            if name in self._firing and not has_vanished(self._firing[name]):
                continue
            self._firing[name] = threading.current_thread()
            try:
                had_round = self._tried(connection, name, beyond.get(ROUND_KEY + name))
            finally:
                del self._firing[name]
                self._hung.pop(name, None)
            if had_round:
                yield name

    def _tried(self, connection: Connection, name: str, suspect: Suspect | None) -> bool:
        """Fire a due timer, unless it was given up as a suspect. Return whether it had a round, be it one that
        failed."""
        try:
            if suspect is not None:
                raise given_up(suspect, self.database.settings)
            with self.quarantine.trying(self.database, connection, ROUNDS, ROUND_KEY + name):
                count = self.database.again_if_outdated(partial(self._fire, connection, self.works[name]))
        except ClaimLost:
            return False  # another server is careful with it
        except Exception as error:
            if self.database.has_lost(connection, error) or self.database.is_contended(error):
                raise
            self._failed(connection, self.works[name], error)
            return True
        return count is not None

    def pause(self, connection: Connection, name: str) -> None:
        """Pause a timer until it is resumed. Matches that are already noted run."""
        with self.database.transaction(connection):
            row = self.timers.hold(connection, name)
            self.timers.set_due(connection, name, row.due, row.set_at, paused=True)

    def resume(self, connection: Connection, name: str) -> None:
        """Resume a timer. Due times that passed meanwhile are not made up for."""
        now = self.clock.now()
        with self.database.transaction(connection):
            self._forgive(connection, name)
            row = self.timers.hold(connection, name)
            due = resumed(self.works[name].when, row.due, row.set_at, row.last_due, now)
            self.timers.set_due(connection, name, due, now, paused=False)

    def cancel(self, connection: Connection, name: str) -> Cancellation:
        """End the rest of a round: unstarted matches at once, running ones when they next look."""
        with self.database.transaction(connection):
            self.timers.hold(connection, name)
            return self.noting.cancel(connection, name)

    def dry(self, connection: Connection, name: str) -> Sequence[str | None]:
        """Return the objects that a round would match now, in order, without changing anything. [None] stands for the
        single run of a job without a root."""
        timed, now = self.works[name], self.clock.now()
        with self.database.snapshot(connection):
            result = self._search(connection, timed, self.timers.get(connection, name), now)
            return result.objects or []

    def now(self, connection: Connection, name: str) -> int:
        """Start a round now, besides those at due times, and return the number of matched objects. They are added to a
        round that is still running."""
        timed, now = self.works[name], self.clock.now()
        ahead = self._ahead(connection, lambda: self._search(connection, timed, self.timers.get(connection, name), now))
        with self.database.transaction(connection):
            self._forgive(connection, name)
            row = self.timers.hold(connection, name)
            result = ahead if ahead and ahead.row == row else self._search(connection, timed, row, now)
            going_on = self.noting.last(connection, name, now) is not None
            count = len(result.objects or ())
            round_values = {} if result.objects is None else larger_round(count) if going_on else new_round(count, now)
            self.timers.set_due(connection, name, row.due, row.set_at, last_due=now, **round_values)
            self.noting.begin(connection, name, result.objects or [], now, result.variables)
            return count

    def _forgive(self, connection: Connection, name: str) -> None:
        """Forget what was given up for a timer, so that it is tried again."""
        suspects.clear(connection, [ROUND_KEY + name])
        self.noting.matches.forgive(connection, name)

    def _fire(self, connection: Connection, timed: TimedWork) -> int | None:
        now = self.clock.now()
        ahead = self._ahead(connection, lambda: self._look(connection, timed, now))
        with self.database.transaction(connection):
            row = self.timers.lock(connection, timed.name, now)
            if row is None:
                return None
            planned = _plan(timed, row, now)
            if planned.fire is None:
                self.timers.set_due(connection, timed.name, planned.due, now)
                return None
            result = ahead if ahead and ahead.row == row else self._search(connection, timed, row, planned.fire)
            round_values = {} if result.objects is None else new_round(len(result.objects), now)
            self.timers.set_due(connection, timed.name, planned.due, now, last_due=planned.fire, **round_values)
            self.noting.begin(connection, timed.name, result.objects or [], planned.fire, result.variables)
            self.events.emit(Reached("before commit", ROUND + timed.name))
        self.events.emit(Reached("after commit", ROUND + timed.name))
        if result.objects is None:
            return None
        self.events.emit(Fired(timed.name, planned.fire.isoformat(), len(result.objects)))
        return len(result.objects)

    def _ahead(self, connection: Connection, search: Callable[[], Some]) -> Some | None:
        """Search for a round's objects before its transaction begins, if that would keep others from writing. The
        result is valid while the timer's row is unchanged, which means that no other round has intervened."""
        if not self.database.has_one_writer:
            return None
        with self.database.snapshot(connection):
            return search()

    def _look(self, connection: Connection, timed: TimedWork, now: datetime) -> "_RoundResult | None":
        """Return the result of the due round; None if none is due."""
        row = self.timers.lock(connection, timed.name, now)
        fire = None if row is None else _plan(timed, row, now).fire
        return None if row is None or fire is None else self._search(connection, timed, row, fire)

    def _search(self, connection: Connection, timed: TimedWork, row: TimerRow | None, due: datetime) -> "_RoundResult":
        """Find the objects of a round for the due time `due`."""
        variables = self._begun(timed, due)
        with ended(RunSession(connection)) as session, CONTAINED, self._limit(connection, timed):
            objects = self._objects(connection, timed, variables, session)
            session.flush()
        return _RoundResult(row, objects, dump_variables(variables.changed()))

    def _limit(self, connection: Connection, timed: TimedWork) -> AbstractContextManager[object]:
        """Return the time limit of a round's search: the time-out of the work that it starts."""
        run = Run((uuid.uuid4(), timed.name), ROUND + timed.name, None, timed.lane, 1, source="timer")
        timeout = self.time_limits.of_calculation(timed.work.timeout)
        return self.time_limits.over(connection, run, timeout, partial(self._abandoned, timed))

    def _abandoned(self, timed: TimedWork, connection: Connection, error: TimedOut) -> None:
        """End a round whose thread was abandoned. Until that returns, later rounds end in the same way."""
        self._hung[timed.name] = error
        self._failed(connection, timed, error)

    def _begun(self, timed: TimedWork, due: datetime) -> Variables:
        given = {name: value for name, value in self.variables.items() if name in timed.variables}
        return Variables(timed.variables, {**timed.variables, **given, DUE: due})

    def _objects(
        self, connection: Connection, timed: TimedWork, variables: Variables, session: RunSession
    ) -> Sequence[str | None] | None:
        """Return the objects of a round, in order; None if `before` has called it off. Objects that failed before come
        last, so that they never displace others; those with a running match are left out."""
        if timed.when.before is not None and timed.when.before(variables) is False:
            return None
        going_on = self.noting.going_on(connection, timed.name)
        if timed.root is None:
            return [] if None in going_on else [None]
        failed = self.noting.matches.failed(connection, timed.name)
        limit = timed.when.max_answers
        enough = None if limit is None else limit + len(failed) + len(going_on)
        keys = _only_keys(timed.criteria(variables), timed, enough)
        roots: dict[str, None] = {}
        for root in found_by(session, keys, timed.root):
            roots[root] = None
            if len(roots) == enough:
                break
        free = [root for root in roots if root not in going_on]
        return sorted(free, key=failed.__contains__)[:limit]

    def _failed(self, connection: Connection, timed: TimedWork, error: Exception) -> None:
        """Note that the criteria, or the code before them, raised. The timer is due again at its next time."""
        text, now = str(error) if isinstance(error, GivenUp) else text_of(error), self.clock.now()
        with self.database.transaction(connection):
            row = self.timers.lock(connection, timed.name, now)
            if row is None:
                return
            planned = _plan(timed, row, now)
            self.timers.set_due(
                connection, timed.name, planned.due, now,
                last_due=planned.fire or row.last_due, fired=now, ended=now, matches=0, failed=0, error=text,
            )  # fmt: skip
        self.events.emit(RoundFailed(timed.name, text))


@dataclass(frozen=True)
class _RoundResult:
    """The result of a round: its objects (None if called off), its stored variables, and its timer's row then."""

    row: TimerRow | None
    objects: Sequence[str | None] | None
    variables: str | None


def _plan(timed: TimedWork, row: TimerRow, now: datetime) -> DuePlan:
    return plan(timed.when, row.due, row.set_at, row.last_due, now)


def _only_keys(query: Select[Any], timed: TimedWork, most: int | None) -> Select[Any]:
    """Return the query for the keys alone, limited to `most` rows if each row is another object. With a join, several
    rows may be one object."""
    assert timed.root is not None
    entity: Any = query.column_descriptions[0]["entity"]  # the class, or an alias of it
    members = [timed.root.get_property_by_column(key).key for key in timed.root.primary_key]
    keys = query.with_only_columns(*(getattr(entity, member) for member in members), maintain_column_froms=True)
    is_plain = [type(source) for source in query.get_final_froms()] in ([Table], [Alias])
    return keys.limit(most) if most is not None and is_plain and query._limit_clause is None else keys
