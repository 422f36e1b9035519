"""Everything that can be done to an installation by hand, for the command line and whoever else offers it."""

import os
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select, update

from afterwork.clock import Clock
from afterwork.errors import BadRequest, shown
from afterwork.events import Acted, Events
from afterwork.manifest.by_hand import have_run
from afterwork.model.external_id import parse
from afterwork.model.key import key_of
from afterwork.model.reading import ReadModel
from afterwork.store import leases, once, schema, tables
from afterwork.store.database import Database
from afterwork.store.process import process_start
from afterwork.store.timers import Cancellation
from afterwork.triggers.timer.rounds import rounds_of


class Control:
    """Acts on one database."""

    def __init__(
        self, database: Database, model: ReadModel, clock: Clock, events: Events, variables: Mapping[str, Any]
    ) -> None:
        self._database = database
        self._model = model
        self._clock = clock
        self._events = events
        self._rounds = rounds_of(database, model, clock, events, variables)

    def reload(self) -> list[int]:
        """Let the servers on this machine read their files of jobs again, by SIGHUP. Returns their processes."""
        c = tables.server.c
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            own = select(c.process, c.process_started).where(c.host == socket.gethostname()).distinct()
            rows = connection.execute(own).all()
        told = [row.process for row in rows if process_start(row.process) in (row.process_started, 0)]
        for process in told:
            os.kill(process, signal.SIGHUP)
        return told

    def retry(self, key: str) -> None:
        """Let a ticket that has ended, or waits, run as soon as possible, with all its attempts before it.

        Raises `BadRequest` if there is none.
        """
        contract = self._model.contract
        column = contract.key.column
        try:
            wanted = column == key_of(key, column)
        except ValueError:
            raise BadRequest(f"{shown(key)} can't be the key of a ticket.") from None
        cleared: dict[Any, int | None] = {
            a.column: None for a in (contract.done, contract.delete_time, contract.error, contract.execute_earliest)
        }
        if contract.attempts is not None:
            cleared[contract.attempts.column] = 0
        with self._database.engine.begin() as connection:
            schema.check_installed(self._database, connection)
            found = connection.execute(update(contract.table).where(wanted).values(cleared))
            if not found.rowcount:
                raise BadRequest(f"There is no ticket {key}.")
            self._database.wake_all(connection)

    def retry_once(self, name: str) -> None:
        """Let an action that runs once per database, and has failed, run again, and then those below it.

        Raises `BadRequest` if it has not failed: what has ended well never runs again.
        """
        with self._acting() as connection:
            if not once.forget_failed(connection, name):
                failed = sorted(row.name for row in once.rows(connection).values() if row.error is not None)
                known = ", ".join(failed) or "none"
                raise BadRequest(f"{shown(name)} is no action that runs once and has failed. Failed have: {known}.")

    def recompute(self, root: str, cache: str, who: str) -> None:
        """Let a cache of an object run though nothing that it read has changed: `("Customer!42", "total", "ann")`.
        `who` asks for it, and is told of as the cause.

        Raises `BadRequest` if the object has no such cache, or if it runs just now; `MalformedExternalId`.
        """
        name = self._model.cache_in(parse(root, self._model.classes).mapper.class_, cache).name
        with self._acting() as connection, self._database.transaction(connection):
            have_run(connection, self._database.dialect, name, root, who, self._clock.now())
        self._events.emit(Acted(who, "recomputed", f"{name} of {root}"))

    def pause(self, name: str) -> None:
        """Let a timer not fire, or no more jobs of a lane begin. What runs goes on."""
        if name in self._model.timers:
            with self._acting_on(name) as connection:
                self._rounds.pause(connection, name)
        else:
            with self._acting() as connection:
                leases.pause(connection, name, True)

    def resume(self, name: str) -> None:
        """Let a timer fire, or jobs of a lane begin, again. A timer does not make up for what has passed meanwhile."""
        if name in self._model.timers:
            with self._acting_on(name) as connection:
                self._rounds.resume(connection, name)
        else:
            with self._acting() as connection:
                leases.pause(connection, name, False)

    def run_now(self, timer: str) -> int:
        """Let a timer have a round now. Returns how many objects it hits. Raises `BadRequest` if there is none."""
        with self._acting_on(timer) as connection:
            return self._rounds.now(connection, timer)

    def dry_run(self, timer: str) -> Sequence[str | None]:
        """The objects that a round of a timer would hit now, in order. Changes nothing; [None] stands for the one run
        of a job without a root. Raises `BadRequest` if there is no such timer."""
        with self._connection() as connection:
            return self._rounds.dry(connection, self._timer(timer))

    def cancel(self, timer: str) -> Cancellation:
        """End what is left of a timer's round. Runs that go on are asked to stop: nothing of them is saved, if they are
        external or call `aw.progress`. Raises `BadRequest` if there is no such timer."""
        with self._acting_on(timer) as connection:
            return self._rounds.cancel(connection, timer)

    def _timer(self, name: str) -> str:
        if name not in self._model.timers:
            known = ", ".join(sorted(self._model.timers)) or "none"
            raise BadRequest(f"The model has no timer {shown(name)}. It has: {known}.")
        return name

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = self._database.connect()
        try:
            schema.check_installed(self._database, connection)
            connection.commit()
            yield connection
        finally:
            connection.close()

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
