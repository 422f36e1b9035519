"""All that can be done to one database by hand."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Connection, select

from afterwork.clock import Clock
from afterwork.control.tickets import (
    CANCEL,
    RETRY,
    RUN_NOW,
    ActResult,
    Selected,
    TicketAct,
    TicketActRunner,
    result_for_log,
)
from afterwork.derived.queue.requested_run import have_run
from afterwork.errors import BadRequest, NotThere, shown
from afterwork.events import Acted, Events
from afterwork.interruption import interruptible
from afterwork.model.external_id import parse
from afterwork.model.inspection import ModelInfo
from afterwork.sources.timer.rounds import rounds_of
from afterwork.store import leases, once, schema, server_abilities, tables
from afterwork.store.database import Database
from afterwork.store.process import process_start
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.timers import Cancellation

BY_PROGRAM = "the application"
"""Who acts, where nobody is named."""

MAX_TICKETS = 10_000
"""Tickets that one act changes at most."""


MAX_SERVER_ID = 2**31 - 1
"""The highest number that a server can have."""


class Control:
    """Acts on one database. `who` is whoever acts: it is logged, with what was done (see `events.Acted`)."""

    def __init__(
        self, database: Database, model: ModelInfo, clock: Clock, events: Events, variables: Mapping[str, Any]
    ) -> None:
        self._database = database
        self._model = model
        self._clock = clock
        self._events = events
        self._rounds = rounds_of(database, model, clock, events, variables)

    def reload(self, who: str = BY_PROGRAM) -> list[int]:
        """Let the servers on this machine read their files of jobs again, by SIGHUP. Returns their processes."""
        c = tables.server.c
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            own = select(c.process, c.process_started).where(c.host == socket.gethostname()).distinct()
            rows = connection.execute(own).all()
        told = [row.process for row in rows if process_start(row.process) in (row.process_started, 0)]
        for process in told:
            os.kill(process, signal.SIGHUP)
        self._events.emit(Acted(who, "reloaded", f"the files of jobs of {len(told)} servers"))
        return told

    def drain(self, server: int, who: str = BY_PROGRAM) -> None:
        """Let a server begin nothing more, and leave when what it runs has ended, however long that takes.

        Raises `NotThere` if there is none of this number.
        """
        with self._acting() as connection:
            found = 0 < server <= MAX_SERVER_ID and server_abilities.drain(connection, server)
            connection.commit()
            if not found:
                known = ", ".join(map(str, connection.execute(select(tables.server.c.id)).scalars())) or "none"
                raise NotThere(f"There is no server {server}. There are: {known}.")
        self._events.emit(Acted(who, "drained", f"server {server}"))

    def retry(self, key: str, who: str = BY_PROGRAM) -> None:
        """Let a ticket that has ended, or waits, run as soon as possible, with all its attempts before it.

        Raises `BadRequest` if there is none, or if it runs just now.
        """
        acts = self.retry_tickets([key], who)
        for left in acts.named:
            raise BadRequest(f"Ticket {left.key} can't be retried: {left.why}.")

    def retry_tickets(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """The same for several tickets, or for all that match; those that have failed, if the filter names no state.
        Those that run just now are left alone."""
        return self._act(RETRY, selected, who, limit)

    def run_tickets_now(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """Let tickets run as soon as possible that wait for a moment. Others are left alone."""
        return self._act(RUN_NOW, selected, who, limit)

    def cancel_tickets(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """End tickets that have not begun, with an Error that says so. Runs outside of a transaction are asked to stop:
        nothing of them is saved then. Others are left alone."""
        return self._act(CANCEL, selected, who, limit)

    def _act(self, act: TicketAct, selected: Selected, who: str, limit: int) -> ActResult:
        tickets = tickets_of(self._model.contract, self._database.dialect)
        acts = TicketActRunner(self._database, tickets, self._clock.now(), who)
        with self._connection() as connection:
            done = acts.run(connection, act, selected, limit)
        self._events.emit(Acted(who, act.done, result_for_log(selected, done)))
        return done

    def retry_once(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let an action that runs once per database, and has failed, run again, and then those below it.

        Raises `BadRequest` if it has not failed: what has ended well never runs again.
        """
        with self._acting() as connection:
            if not once.forget_failed(connection, name):
                failed = sorted(row.name for row in once.rows(connection).values() if row.error is not None)
                known = ", ".join(failed) or "none"
                raise BadRequest(f"{shown(name)} is no action that runs once and has failed. Failed have: {known}.")
        self._events.emit(Acted(who, "retried", name))

    def recompute(self, root: str, cache: str, who: str = BY_PROGRAM) -> None:
        """Let a cache of an object run though nothing that it read has changed: `("Customer!42", "total", "ann")`.
        `who` asks for it, and is told of as the cause.

        Raises `BadRequest` if the object has no such cache, or if it runs just now; `MalformedExternalId`.
        """
        name = self._model.derivation_in(parse(root, self._model.classes).mapper.class_, cache).name
        with self._acting() as connection, self._database.transaction(connection):
            have_run(connection, self._database.dialect, name, root, who, self._clock.now())
        self._events.emit(Acted(who, "recomputed", f"{name} of {root}"))

    def pause(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let a timer not fire, or no more jobs of a lane begin. What runs goes on."""
        (self.pause_timer if name in self._model.timers else self.pause_lane)(name, who)

    def resume(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let a timer fire, or jobs of a lane begin, again."""
        (self.resume_timer if name in self._model.timers else self.resume_lane)(name, who)

    def pause_timer(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let a timer not fire. What runs goes on. Raises `BadRequest` if there is no such timer."""
        with self._acting_on(name) as connection:
            self._rounds.pause(connection, name)
        self._events.emit(Acted(who, "paused", f"timer {name}"))

    def resume_timer(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let a timer fire again. It does not make up for what has passed meanwhile. Raises `BadRequest` if there is no
        such timer."""
        with self._acting_on(name) as connection:
            self._rounds.resume(connection, name)
        self._events.emit(Acted(who, "resumed", f"timer {name}"))

    def pause_lane(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let no more jobs of a lane begin, also if a timer has the same name. What runs goes on."""
        with self._acting() as connection:
            leases.pause(connection, name, True)
        self._events.emit(Acted(who, "paused", f"lane {name}"))

    def resume_lane(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let jobs of a lane begin again."""
        with self._acting() as connection:
            leases.pause(connection, name, False)
        self._events.emit(Acted(who, "resumed", f"lane {name}"))

    def run_now(self, timer: str, who: str = BY_PROGRAM) -> int:
        """Let a timer have a round now. Returns how many objects it hits. Raises `BadRequest` if there is none."""
        with self._acting_on(timer) as connection:
            matches = self._rounds.now(connection, timer)
        self._events.emit(Acted(who, "ran", f"timer {timer}: {matches:,} matches"))
        return matches

    def dry_run(self, timer: str) -> Sequence[str | None]:
        """The objects that a round of a timer would hit now, in order. Changes nothing; [None] stands for the one run
        of a job without a root. Raises `BadRequest` if there is no such timer."""
        with self._connection() as connection:
            return self._rounds.dry(connection, self._timer(timer))

    def cancel(self, timer: str, who: str = BY_PROGRAM) -> Cancellation:
        """End what is left of a timer's round. Runs that go on are asked to stop: nothing of them is saved, if they are
        external or call `aw.progress`. Raises `BadRequest` if there is no such timer."""
        with self._acting_on(timer) as connection:
            found = self._rounds.cancel(connection, timer)
        on = f"what was left of timer {timer}: {found.ended:,} matches, {found.asked_to_stop:,} asked to stop"
        self._events.emit(Acted(who, "cancelled", on))
        return found

    def _timer(self, name: str) -> str:
        if name not in self._model.timers:
            known = ", ".join(sorted(self._model.timers)) or "none"
            raise NotThere(f"The model has no timer {shown(name)}. It has: {known}.")
        return name

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with interruptible(), closing(self._database.connect()) as connection:
            schema.check_installed(self._database, connection)
            connection.commit()
            yield connection

    @contextmanager
    def _acting(self) -> Iterator[Connection]:
        """A connection for something that servers are to notice at once."""
        with self._connection() as connection:
            yield connection
            self._database.wake_all(connection)
            connection.commit()

    @contextmanager
    def _acting_on(self, timer: str) -> Iterator[Connection]:
        """The same for a timer, of which no server may have taken note yet."""
        with self._acting() as connection:
            self._timer(timer)
            self._rounds.register(connection)
            yield connection
