"""Quarantine: where something died, runs are tried one by one, and each leaves a trace before it begins.

While nothing dies, this costs nothing. A run that died without a trace, in a batch for instance, can't be told from the
others; so its scope then notes each run first, for as many runs as a batch has. The next death names its culprit.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from afterwork.errors import ClaimLost, GivenUp
from afterwork.model.lane import PARALLEL
from afterwork.settings import Settings
from afterwork.store import leases, suspects
from afterwork.store.database import Database
from afterwork.store.leases import Lease
from afterwork.store.suspects import EVERYWHERE, CauseOfDeath, Suspect

ALONE = 60.0
"""After a crash, a server begins one run at a time for this many seconds, to identify the culprit."""

CACHES, ROUNDS, ONCE = "afterwork-caches", "afterwork-rounds", "afterwork-once"
"""The scopes besides lanes: caches, with a part per derivation (its number); timers' rounds; actions that run once."""

SURVIVED = 5.0
"""In quarantine, external runs older than this many seconds are not waited for."""


@dataclass(frozen=True)
class Loss:
    """A run of this server that lost its connection or worker. It has a key if it left a trace.

    It is a bystander if its connection was told that another one's process crashed."""

    scope: str
    key: str | None
    error: BaseException
    cause: CauseOfDeath = "worker"
    is_bystander: bool = False

    @classmethod
    def of(
        cls, database: Database, connection: Connection, scope: str, key: str | None, error: BaseException
    ) -> "Loss":
        """Return the loss of a run on a connection, by the error that ended it."""
        return cls(scope, key, error, cause_of(database, connection, error), database.was_told_of_crash(connection))


class Quarantine:
    """The quarantine of one server, for all its threads. A scope is a lane, or one of those named here; a scope whose
    name begins with another's is a part of it."""

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
        """Set the server. `holding` registers each trace while it is worked on."""
        self._server, self._holding = server, holding

    def begin(self, scope: str = EVERYWHERE) -> None:
        """Put a scope and each of its parts into quarantine, for as many runs as a batch has."""
        with self._lock:
            self._begun.add(scope)
            self._left = {part: left for part, left in self._left.items() if not part.startswith(scope)}
            if scope == EVERYWHERE:
                self._alone_until = time.monotonic() + ALONE

    def heed(self, noted: Mapping[str, datetime]) -> None:
        """Begin the quarantines that any server has noted, unless already begun."""
        for scope, at in noted.items():
            if self._known.get(scope) != at:
                self._known[scope] = at
                self.begin(scope)

    def is_needed(self, scope: str) -> bool:
        """Return whether the next run in a scope must be tried alone."""
        with self._lock:
            return self._runs_left(scope) > 0

    def tries_alone(self, scope: str) -> bool:
        """Return whether the next run in a scope must be tried alone, and count it."""
        with self._lock:
            left = self._runs_left(scope)
            if left > 0:
                self._left[scope] = left - 1
            return left > 0

    def _runs_left(self, scope: str) -> int:
        if scope in self._left:
            return self._left[scope]
        return self._runs if any(scope.startswith(begun) for begun in self._begun) else 0

    def end(self) -> None:
        """End all quarantines: everything that was due has run."""
        with self._lock:
            self._begun, self._left, self._alone_until = set(), {}, float("-inf")

    @property
    def is_alone(self) -> bool:
        """Return whether nothing else may begin beside the run being tried."""
        return time.monotonic() < self._alone_until

    def lost(self, loss: Loss) -> None:
        """Note that a run lost its connection or worker, until it is known whether all others did, too."""
        with self._lock:
            self._losses.append(loss)

    def losses(self, error: BaseException) -> list[Loss]:
        """Return the losses by this error, or by one that it was raised from or after."""
        errors = _with_earlier(error)
        with self._lock:
            return [loss for loss in self._losses if loss.error in errors]

    def forget(self, losses: Collection[Loss]) -> None:
        """Forget losses that have been blamed, or that nobody is to blame for."""
        with self._lock:
            self._losses = [loss for loss in self._losses if loss not in losses]

    @contextmanager
    def trying(self, database: Database, connection: Connection, scope: str, key: str) -> Iterator[bool]:
        """Leave a trace while the block lasts if the scope is in quarantine; yield whether it is. The block has its own
        transactions. Raises `ClaimLost` if the key already has a trace."""
        is_alone = self.tries_alone(scope)
        trace = self._trace(database, connection, key) if is_alone else nullcontext()
        try:
            with trace:
                yield is_alone
        except BaseException as error:
            if database.has_lost(connection, error):
                self.lost(Loss.of(database, connection, scope, key if is_alone else None, error))
            raise

    @contextmanager
    def _trace(self, database: Database, connection: Connection, key: str) -> Iterator[None]:
        lease = Lease(str(uuid.uuid4()), key, PARALLEL, self._server, epoch=1)
        self._holding(lease, True)
        try:
            self._leave_trace(database, connection, lease)
            try:
                yield
            except BaseException as error:
                if not database.has_lost(connection, error):
                    self._wipe(database, connection, lease)
                raise
            self._wipe(database, connection, lease)
        finally:
            self._holding(lease, False)

    def _leave_trace(self, database: Database, connection: Connection, lease: Lease) -> None:
        try:
            with database.transaction(connection):
                if leases.is_taken(connection, lease.ticket):
                    raise ClaimLost()
                leases.take(database, connection, lease)
        except IntegrityError as error:  # another server left one at the same time
            raise ClaimLost() from error

    def _wipe(self, database: Database, connection: Connection, lease: Lease) -> None:
        with database.transaction(connection):
            leases.release(connection, lease)
            suspects.clear(connection, [lease.ticket])


def _with_earlier(error: BaseException) -> list[BaseException]:
    """Return an error and those during whose handling it was raised: a lost connection fails again and again."""
    errors: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and current not in errors:
            errors.append(current)
            waiting += current.__cause__, current.__context__
    return errors


def cause_of(database: Database, connection: Connection, error: BaseException) -> CauseOfDeath:
    """Return how a run on a connection ended, by the error that ended it."""
    if not database.is_lost(database.loss(connection, error)):
        return "worker"
    match database.ended_by(connection, error):
        case "25P03":
            return "silent"
        case "25P04":
            return "transaction"
        case _:
            return "connection"


def given_up(suspect: Suspect, settings: Settings) -> GivenUp:
    """Return why a suspect is no longer tried."""
    return GivenUp(suspect.cause, suspect.times, settings.inside_limit, suspect.detail)


def is_given_up(connection: Connection, key: str, settings: Settings) -> GivenUp | None:
    """Return why a key is no longer tried; None if it may be."""
    suspect = suspects.find(connection, key)
    return given_up(suspect, settings) if suspect is not None and suspect.is_beyond(settings.crash_limit) else None
