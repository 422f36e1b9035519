"""Acts on one database: tickets, timers, lanes, servers and caches."""

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
    RETRY_FAILED,
    RUN_NOW,
    ActResult,
    Selected,
    TicketAct,
    TicketActRunner,
    result_for_log,
)
from afterwork.derived.queue.due_queue import have_run
from afterwork.errors import BadRequest, NotThere, shown
from afterwork.events import Acted, Events, SourceKind
from afterwork.interruption import interruptible
from afterwork.jobs.blocked import BlockedLooks
from afterwork.jobs.source import SourceContext
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.external_id import parse
from afterwork.model.inspection import ModelInfo
from afterwork.model.known_names import instead_of
from afterwork.sources.timer.rounds import Rounds
from afterwork.store import leases, once, schema, server_rows, tables
from afterwork.store.database import Database
from afterwork.store.process import process_start
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.timers import Cancellation

BY_PROGRAM = "the application"
"""The name that is logged for an act when the caller gives none."""

MAX_TICKETS = 10_000
"""The most tickets that one act changes."""

MAX_SERVER_ID = 2**31 - 1
"""The highest id of a server."""


class Control:
    """Acts on one database by hand. Each act is logged as `events.Acted`, with the name `who` of the actor. One act on
    tickets affects at most `limit` of them."""

    def __init__(
        self, database: Database, model: ModelInfo, clock: Clock, events: Events, variables: Mapping[str, Any]
    ) -> None:
        self._database = database
        self._model = model
        self._clock = clock
        self._events = events
        limits, blocked = TimeLimits.of(database, events), BlockedLooks(database, events)
        self._rounds = Rounds(SourceContext(model, database, clock, events, variables, limits, blocked))

    def reload(self, who: str = BY_PROGRAM) -> list[int]:
        """Signal the servers on this machine by SIGHUP to reload their files of jobs. Returns their process ids."""
        c = tables.server.c
        with self._database.reading() as connection:
            schema.check_installed(self._database, connection)
            local = select(c.process, c.process_started).where(c.host == socket.gethostname()).distinct()
            servers = connection.execute(local).all()
        processes = [row.process for row in servers if process_start(row.process) in (row.process_started, 0)]
        for process in processes:
            os.kill(process, signal.SIGHUP)
        self._events.emit(Acted(who, "reloaded", f"the files of jobs of {len(processes)} servers"))
        return processes

    def drain(self, server: int, who: str = BY_PROGRAM) -> None:
        """Make a server begin no more runs and leave when its current runs have ended, however long that takes.

        Raises `NotThere` if no server has this id.
        """
        with self._acting() as connection:
            exists = 0 < server <= MAX_SERVER_ID and server_rows.drain(connection, server)
            connection.commit()
            if not exists:
                known = map(str, connection.execute(select(tables.server.c.id)).scalars())
                raise NotThere(f"There is no server {server}. {instead_of(str(server), known, listed_by='lanes')}")
        self._events.emit(Acted(who, "drained", f"server {server}"))

    def retry(self, key: str, who: str = BY_PROGRAM) -> None:
        """Make a ticket that has ended, or that waits, due now, with all its attempts ahead of it.

        Raises `BadRequest` if there is no such ticket, or if it is running.
        """
        result = self.retry_tickets([key], who)
        for left in result.named:
            raise BadRequest(f"Ticket {left.key} can't be retried: {left.why}.")

    def retry_tickets(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """Retry tickets by key, or all that match a filter; a filter without a state matches failed ones.

        Running tickets are left alone.
        """
        return self.act_on_tickets(RETRY, selected, who, limit)

    def run_tickets_now(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """Make tickets that wait for a time due now. Others are left alone."""
        return self.act_on_tickets(RUN_NOW, selected, who, limit)

    def cancel_tickets(self, selected: Selected, who: str = BY_PROGRAM, limit: int = MAX_TICKETS) -> ActResult:
        """End tickets that have not begun, with an Error that says so.

        Runs outside of a transaction are asked to stop; nothing of them is saved then. Others are left alone.
        """
        return self.act_on_tickets(CANCEL, selected, who, limit)

    def act_on_tickets(self, act: TicketAct, selected: Selected, who: str, limit: int = MAX_TICKETS) -> ActResult:
        """Perform an act on tickets, `selected` by key or by what they are. Raises `BadRequest` for a malformed key."""
        tickets = tickets_of(self._model.contract, self._database.dialect)
        runner = TicketActRunner(self._database, tickets, self._clock.now(), who)
        with self._connection() as connection:
            result = runner.run(connection, act, selected, limit)
        self._events.emit(Acted(who, act.done, result_for_log(selected, result)))
        return result

    def retry_failed(self, source: SourceKind, work: str, names: Sequence[str], who: str = BY_PROGRAM) -> ActResult:
        """Try again what has failed of one work: tickets by key, values by root, a timer by a round, what runs once.

        Tickets that are no longer failed are left alone. Raises as the acts on one of these do.
        """
        match source:
            case "ticket":
                return self.act_on_tickets(RETRY_FAILED, names, who)
            case "timer":
                return ActResult(self.run_now(work, who))
            case "cache" | "machine":
                for root in names:
                    self.recompute(root, work.rpartition(".")[2], who)
                return ActResult(len(names))
            case "once":
                self.retry_once(work, who)
                return ActResult(1)

    def retry_once(self, name: str, who: str = BY_PROGRAM) -> None:
        """Run a failed action that runs once per database again, and then those that wait for it.

        Raises `BadRequest` if it has not failed: an action that succeeded never runs again.
        """
        with self._acting() as connection:
            if not once.forget_failed(connection, name):
                failed = [row.name for row in once.rows(connection).values() if row.error is not None]
                known = instead_of(name, sorted(failed), verb="Failed have", listed_by="once")
                raise BadRequest(f"{shown(name)} is no action that runs once and has failed. {known}")
        self._events.emit(Acted(who, "retried", name))

    def recompute(self, root: str, cache: str, who: str = BY_PROGRAM) -> None:
        """Recompute a cache of an object although nothing that it read has changed: `("Customer!42", "total", "ann")`.

        `who` is recorded as the cause. Raises `BadRequest` if the object has no such cache, or if it is running, and
        `MalformedExternalId`.
        """
        external_id = parse(root, self._model.classes)
        name = self._model.derivation_in(external_id.mapper.class_, cache).name
        with self._acting() as connection, self._database.transaction(connection):
            have_run(connection, name, external_id, who, self._clock.now())
        self._events.emit(Acted(who, "recomputed", f"{name} of {root}"))

    def pause(self, name: str, who: str = BY_PROGRAM) -> None:
        """Pause a timer, or a lane if no timer has this name. Current runs go on."""
        (self.pause_timer if name in self._model.timers else self.pause_lane)(name, who)

    def resume(self, name: str, who: str = BY_PROGRAM) -> None:
        """Resume a timer, or a lane if no timer has this name."""
        (self.resume_timer if name in self._model.timers else self.resume_lane)(name, who)

    def pause_timer(self, name: str, who: str = BY_PROGRAM) -> None:
        """Stop a timer from firing. Current runs go on. Raises `NotThere` if there is no such timer."""
        with self._acting_on(name) as connection:
            self._rounds.pause(connection, name)
        self._events.emit(Acted(who, "paused", f"timer {name}"))

    def resume_timer(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let a timer fire again, without making up for what it missed. Raises `NotThere` if there is no such timer."""
        with self._acting_on(name) as connection:
            self._rounds.resume(connection, name)
        self._events.emit(Acted(who, "resumed", f"timer {name}"))

    def pause_lane(self, name: str, who: str = BY_PROGRAM) -> None:
        """Stop jobs of a lane from beginning, even if a timer has the same name. Current runs go on."""
        with self._acting() as connection:
            leases.pause(connection, name, True)
        self._events.emit(Acted(who, "paused", f"lane {name}"))

    def resume_lane(self, name: str, who: str = BY_PROGRAM) -> None:
        """Let jobs of a lane begin again."""
        with self._acting() as connection:
            leases.pause(connection, name, False)
        self._events.emit(Acted(who, "resumed", f"lane {name}"))

    def run_now(self, timer: str, who: str = BY_PROGRAM) -> int:
        """Begin a round of a timer now. Returns the number of its matches. Raises `NotThere` for an unknown timer."""
        with self._acting_on(timer) as connection:
            matches = self._rounds.now(connection, timer)
        self._events.emit(Acted(who, "ran", f"timer {timer}: {matches:,} matches"))
        return matches

    def dry_run(self, timer: str) -> Sequence[str | None]:
        """Return the objects that a round of a timer would match now, in order. Changes nothing.

        [None] is the one run of a job without a root. Raises `NotThere` if there is no such timer.
        """
        with self._connection() as connection:
            return self._rounds.dry(connection, self._timer(timer))

    def cancel(self, timer: str, who: str = BY_PROGRAM) -> Cancellation:
        """End the rest of a timer's round, and ask its current runs to stop.

        Nothing of those is saved if they are external or call `aw.progress`. Raises `NotThere` if there is no such
        timer.
        """
        with self._acting_on(timer) as connection:
            cancelled = self._rounds.cancel(connection, timer)
        counts = f"{cancelled.ended:,} matches, {cancelled.asked_to_stop:,} asked to stop"
        self._events.emit(Acted(who, "cancelled", f"what was left of timer {timer}: {counts}"))
        return cancelled

    def _timer(self, name: str) -> str:
        if name not in self._model.timers:
            known = instead_of(name, sorted(self._model.timers), verb="It has", listed_by="timers")
            raise NotThere(f"The model has no timer {shown(name)}. {known}")
        return name

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with interruptible(), closing(self._database.connect()) as connection:
            schema.check_installed(self._database, connection)
            connection.commit()
            yield connection

    @contextmanager
    def _acting(self) -> Iterator[Connection]:
        """Yield a connection, and wake the servers when the act is done."""
        with self._connection() as connection:
            yield connection
            self._database.wake_all(connection)
            connection.commit()

    @contextmanager
    def _acting_on(self, timer: str) -> Iterator[Connection]:
        """Yield a connection for an act on a timer, which no server may have registered yet."""
        with self._acting() as connection:
            self._timer(timer)
            self._rounds.register(connection)
            yield connection
