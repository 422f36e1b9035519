"""Losses: runs with which a living server lost a worker, a connection, or all connections.

They are blamed, unless the database was stopped, or can't be reached. If one process of PostgreSQL crashes, all
connections end; the server knows what it was running, so the runs without a notice of that crash are blamed.
"""

import time

from sqlalchemy import Connection

from afterwork.derived.tracking.hidden_state import untracked
from afterwork.errors import AnotherDatabase, StaysSilent, ThreadEnded
from afterwork.events import Broken, ConnectionLost, InTheWay, LacksRight, WorkerLost
from afterwork.jobs.quarantine import CACHES, Loss
from afterwork.jobs.run import text_of
from afterwork.jobs.runner import Runner
from afterwork.server.blame import claimed_caches
from afterwork.server.lanes import KnownLanes
from afterwork.server.server_connection import ServerConnection
from afterwork.server.workers import LostThread, Workers
from afterwork.store import leases, suspects
from afterwork.store.caches.tables import due as dues
from afterwork.store.suspects import EVERYWHERE, CauseOfDeath, Death, is_cache

CRASH_SECONDS = 0.2
"""The time after which a crash of the database, which ended one connection, has reached the others."""


class Losses:
    """Errors that ended workers, kept until the loop has seen what was lost with them."""

    def __init__(self, runner: Runner, link: ServerConnection, lanes: KnownLanes) -> None:
        self._runner = runner
        self._quarantine = runner.quarantine
        self._link = link
        self._lanes = lanes
        self._lost: list[tuple[Exception, int]] = []
        self._crashed: set[int] = set()
        """The generations of connections that ended with a crash of the database."""

    def note(self, error: Exception, generation: int) -> None:
        """Note that a worker could not continue. The next look finds its work, and anything it leased."""
        if self._runner.database.is_contended(error):
            self._runner.events.emit(InTheWay(text_of(error)))
            return
        self._lost.append((error, generation))
        if self._runner.database.lacks_right(error):
            self._runner.events.emit(LacksRight(text_of(error)))
        elif not self._runner.database.is_lost(error):
            self._runner.events.emit(Broken("a worker", error))

    def database_crashed(self, generation: int) -> None:
        """Note that the connections of a generation have ended because the database crashed."""
        self._crashed.add(generation)

    def see(self, connection: Connection, workers: Workers) -> bool:
        """Blame what was lost, and put its scopes into quarantine. Return whether anything was lost."""
        for gone in workers.lost():
            why = StaysSilent() if gone.is_overdue else gone.ended_by
            self._runner.events.emit(WorkerLost(gone.thread.name, why))
            if gone.is_midway:
                self._note_vanished(connection, gone)
        blamed = False
        while self._lost:
            error, generation = self._lost[0]
            blamed |= self._look_into(connection, error, generation, workers.generation)
            del self._lost[0]  # only now: if this fails, because the database is lost, too, it is seen again
        return blamed

    def _note_vanished(self, connection: Connection, gone: LostThread) -> None:
        """Note what a thread was doing that can't say it: it ended in C, or hangs. Its transaction ends as well."""
        error = StaysSilent() if gone.is_overdue else ThreadEnded()
        cause: CauseOfDeath = "silent" if gone.is_overdue else "worker"
        scopes = gone.lanes if gone.is_overdue and gone.lanes else [EVERYWHERE]
        for scope in scopes:
            self._quarantine.begin(scope)  # before others can have what it holds
        held, claims = self._lanes.let_go(gone.thread)
        self._runner.time_limits.timeouts.forget(gone.thread)
        self._cut(gone.connection)
        caches, _ = claimed_caches(connection, dues.c.claim.in_(claims))
        traced = [Loss(lease.lane, lease.ticket, error, cause) for lease in held]
        traced += [Loss(CACHES, cache, error, cause) for cache in caches]
        for loss in traced or [Loss(scope, None, error, cause) for scope in scopes]:
            self._quarantine.lost(loss)
        self._lost.append((error, gone.generation))

    def _cut(self, connection: Connection | None) -> None:
        database = self._runner.database
        if connection is None or connection.closed or connection.invalidated:
            return
        if database.shares_one_connection:
            database.give_up(connection)
        else:
            with untracked():  # a calculation may have died while its reads were recorded
                database.cut(connection.connection.dbapi_connection)

    def _look_into(self, connection: Connection, error: Exception, generation: int, current: int) -> bool:
        """Blame what was lost with one worker, unless that was lost with the database. Return whether it is blamed.

        Raises `AnotherDatabase` if that is what a worker met, since it is for the loop to begin anew.
        """
        if isinstance(error, AnotherDatabase):
            raise error
        database, losses = self._runner.database, self._quarantine.losses(error)
        in_crash = generation in self._crashed
        is_blamed = bool(losses) if in_crash else generation == current
        if is_blamed:
            if database.is_lost(error):
                if not in_crash:
                    self._check_alone(error, losses)
                self._runner.events.emit(ConnectionLost(text_of(error)))
            self._blame(connection, losses, in_crash)
        self._quarantine.forget(losses)
        return is_blamed

    def _check_alone(self, error: Exception, losses: list[Loss]) -> None:
        """Raise the error of a lost connection if the server's own is lost, too."""
        if all(loss.cause == "connection" for loss in losses):
            time.sleep(CRASH_SECONDS)
        if not self._link.answers():
            raise error

    def _blame(self, connection: Connection, losses: list[Loss], in_crash: bool) -> None:
        """Count losses against the runs that left a trace, and warn all servers."""
        database, server = self._runner.database, self._link.presence.id
        scopes = {EVERYWHERE} if in_crash else {loss.scope for loss in losses}
        with database.transaction(connection):
            for loss in losses:
                if loss.key is not None and (is_cache(loss.key) or leases.has(connection, server, loss.key)):
                    cause = "database" if in_crash else loss.cause
                    death = Death(cause, text_of(loss.error), near=loss.is_bystander)
                    suspects.blame(database, connection, loss.key, death)
            for scope in scopes:
                suspects.start_quarantine(database, connection, scope)
        for scope in scopes:
            self._quarantine.begin(scope)
