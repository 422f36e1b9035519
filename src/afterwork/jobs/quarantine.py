"""Care: where something has died, runs are tried one after the other, and each leaves a trace before it begins.

While nothing dies, this costs nothing. What has died without a trace, in a batch for instance, can't be told from the
others; so there, for as many runs as a batch has, each is noted first. If it dies then, it is known.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from afterwork.errors import ClaimLost, GivenUp
from afterwork.model.lane import PARALLEL
from afterwork.settings import Settings
from afterwork.store import leases, suspects
from afterwork.store.database import Database
from afterwork.store.leases import Lease
from afterwork.store.suspects import EVERYWHERE, Cause, Suspect

ALONE = 60.0
"""Seconds after a crash in which a server begins one run at a time, so that it is clear which one ends the process."""

CACHES, ROUNDS, ONCE = "afterwork-caches", "afterwork-rounds", "afterwork-once"
"""The scopes beside lanes: caches, and in it each definition by its number; rounds of timers; what runs once."""

SURVIVED = 5.0
"""What has gone on for so many seconds then is not waited for any longer."""


@dataclass(frozen=True)
class Loss:
    """A run of this server lost its connection or its worker: where, by which error, and its key if it left a trace."""

    scope: str
    key: str | None
    error: BaseException


class Quarantine:
    """The care of one server, from any of its threads. A scope is a lane, or one of those named here; one that begins
    with another's name is a part of that."""

    def __init__(self, runs: int = 0) -> None:
        self._lock = threading.Lock()
        self._runs = runs
        self._begun: set[str] = set()
        self._left: dict[str, int] = {}
        self._known: dict[str, datetime] = {}
        self._alone_until = float("-inf")
        self._losses: list[Loss] = []
        self._server = 0
        self._holding: Callable[[Lease, bool], None] = lambda lease, begun: None

    def enter(self, server: int, holding: Callable[[Lease, bool], None]) -> None:
        """Say for which server this is. `holding` is told of each trace for as long as it is worked on."""
        self._server, self._holding = server, holding

    def begin(self, scope: str = EVERYWHERE) -> None:
        """Be careful in a scope and each part of it: with as many runs as a batch has."""
        with self._lock:
            self._begun.add(scope)
            self._left = {part: left for part, left in self._left.items() if not part.startswith(scope)}
            if scope == EVERYWHERE:
                self._alone_until = time.monotonic() + ALONE

    def heed(self, noted: Mapping[str, datetime]) -> None:
        """Be careful also because of what others have noted."""
        for scope, at in noted.items():
            if self._known.get(scope) != at:
                self._known[scope] = at
                self.begin(scope)

    def is_needed(self, scope: str) -> bool:
        """Whether the next run in a scope is to be tried alone."""
        with self._lock:
            return self._runs_left(scope) > 0

    def take(self, scope: str) -> bool:
        """The same, and count it."""
        with self._lock:
            left = self._runs_left(scope)
            if left > 0:
                self._left[scope] = left - 1
            return left > 0

    def _runs_left(self, scope: str) -> int:
        if scope in self._left:
            return self._left[scope]
        return self._runs if any(scope.startswith(one) for one in self._begun) else 0

    def end(self) -> None:
        """All that was due has run."""
        with self._lock:
            self._begun, self._left, self._alone_until = set(), {}, float("-inf")

    @property
    def is_alone(self) -> bool:
        """Whether nothing else is to begin beside what is tried."""
        return time.monotonic() < self._alone_until

    def lost(self, scope: str, key: str | None, error: BaseException) -> None:
        """Note that a run has lost its connection or worker, until it is known whether all the others have, too."""
        with self._lock:
            self._losses.append(Loss(scope, key, error))

    def losses(self, error: BaseException) -> list[Loss]:
        """Return what was lost with this error, once."""
        errors = error, error.__cause__
        with self._lock:
            found = [one for one in self._losses if one.error in errors]
            self._losses = [one for one in self._losses if one.error not in errors]
        return found

    @contextmanager
    def trying(self, database: Database, connection: Connection, scope: str, key: str) -> Iterator[bool]:
        """Leave a trace while the block lasts, if this server is to be careful there, as the block is told. It has
        transactions of its own. Raises `ClaimLost` if another trace of the same is there."""
        careful = self.take(scope)
        trace = self._trace(database, connection, key) if careful else nullcontext()
        try:
            with trace:
                yield careful
        except BaseException as error:
            if database.has_lost(connection, error):
                self.lost(scope, key if careful else None, error)
            raise

    @contextmanager
    def _trace(self, database: Database, connection: Connection, key: str) -> Iterator[None]:
        lease = Lease(str(uuid.uuid4()), key, PARALLEL, self._server, epoch=1)
        self._holding(lease, True)
        try:
            with database.transaction(connection):
                if leases.is_taken(connection, key):
                    raise ClaimLost()
                leases.take(database, connection, lease)
            try:
                yield
            except BaseException as error:
                if not database.has_lost(connection, error):
                    self._wipe(database, connection, lease)
                raise
            self._wipe(database, connection, lease)
        finally:
            self._holding(lease, False)

    def _wipe(self, database: Database, connection: Connection, lease: Lease) -> None:
        with database.transaction(connection):
            leases.release(connection, lease)
            suspects.clear(connection, [lease.ticket])


def cause_of(database: Database, error: BaseException) -> Cause:
    """Return what an error that ended a run says of how it did."""
    if not database.is_lost(error):
        return "worker"
    match getattr(getattr(error, "orig", error), "sqlstate", None):
        case "25P03":
            return "silent"
        case "25P04":
            return "transaction"
        case _:
            return "connection"


def given_up(suspect: Suspect, settings: Settings) -> GivenUp:
    """Return why a suspect is not tried any more."""
    return GivenUp(suspect.cause, suspect.times, settings.inside_limit, suspect.detail)


def is_given_up(connection: Connection, key: str, settings: Settings) -> GivenUp | None:
    """Return why something is not tried any more; None if it may be."""
    suspect = suspects.find(connection, key)
    return given_up(suspect, settings) if suspect is not None and suspect.is_beyond(settings.crash_limit) else None
