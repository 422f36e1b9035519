"""The health of a server, for all probes.

A server lives if its loop returns as promised. It is ready if, in addition, the database answers and has the
tables that this program needs, wake-ups reach the server, a worker is left for each kind of work, no listener hangs,
and it is not about to stop.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.errors import AfterworkError, AnotherDatabase
from afterwork.events import HangingListener
from afterwork.jobs.run import text_of
from afterwork.jobs.source import Assignment, AssignmentKind, OwnWork
from afterwork.store import schema
from afterwork.store.database import Database

ITERATION_SECONDS = 60.0
"""One iteration of the loop may take this long besides sleeping: its few statements may each wait for a lock."""


class Pulse:
    """The loop's promise. `clock` reads monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self.has_ended = False

    def promise(self, seconds: float) -> None:
        """Promise that the loop will be back within these seconds."""
        self._until = self._clock() + seconds

    def end(self) -> None:
        self.has_ended = True

    @property
    def late(self) -> float:
        """Return the seconds by which the loop is late; 0 if it is in time or has yet to begin."""
        return 0.0 if self._until is None else max(0.0, self._clock() - self._until)


GOOD_FOR_SECONDS = 30.0
"""A good result of a probe is used for this long."""

ANSWER_SECONDS = 2.0
"""The database must answer within this time."""

WAKE_SECONDS = 1.0
"""A wake-up must reach the server within this time."""


@dataclass(frozen=True)
class Sign:
    """One thing that was probed, by its `name`: whether it is `good`, and what it `says` in words."""

    name: str
    good: bool
    says: str


@dataclass(frozen=True)
class Health:
    """The health of a process. If it is `live`, it needs no restart; if it is `ready`, it can take work now. The
    `signs` give the reasons."""

    live: bool
    ready: bool
    signs: Sequence[Sign]

    @classmethod
    def of_all(cls, servers: Sequence["Health"]) -> "Health":
        """Return the health of several servers in one process: no better than that of each."""
        signs = [sign for server in servers for sign in server.signs]
        return cls(all(server.live for server in servers), all(server.ready for server in servers), signs)


class Prober:
    """Probes a database and the wake-ups of a server, on its own thread: a broken database may never answer.

    `wakes` returns whether a wake-up arrives; it is None without a server. `clock` reads monotonic seconds."""

    def __init__(
        self,
        database: Database,
        wakes: Callable[[Connection, float], bool] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self.is_replaced = False
        """True once another database has taken the place of this one: only another prober can look at that."""
        self._wakes = wakes
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._signs: Sequence[Sign] = ()
        self._seen_at = self._asked_at = float("-inf")

    def look(self) -> Sequence[Sign]:
        """Return the signs of the database and of wake-ups. Takes little longer than `ANSWER_SECONDS`, and probes again
        only if the last result was bad or is old."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                if all(sign.good for sign in self._signs) and self._clock() - self._seen_at < GOOD_FOR_SECONDS:
                    return self._signs
                self._asked_at = self._clock()
                self._thread = threading.Thread(target=self._look, name="afterwork-prober", daemon=True)
                self._thread.start()
            self._thread.join(ANSWER_SECONDS + WAKE_SECONDS)
            if self._thread.is_alive():
                return [Sign("database", False, f"has not answered for {self._clock() - self._asked_at:.0f} s")]
            return self._signs

    def _look(self) -> None:
        connection: Connection | None = None
        try:
            connection = self._database.connect()
            schema.check_installed(self._database, connection)
            connection.commit()
            signs = [Sign("database", True, "answers, and has the tables that this program needs")]
            if self._wakes is not None:
                signs.append(self._woken(connection))
        except AfterworkError as error:
            signs = [Sign("database", False, str(error))]
            self.is_replaced = isinstance(error, AnotherDatabase)
        except BaseException as error:
            signs = [Sign("database", False, text_of(failure_of(error)))]
        finally:
            self._database.discard(connection)
        self._signs, self._seen_at = signs, self._clock()

    def _woken(self, connection: Connection) -> Sign:
        assert self._wakes is not None
        try:
            heard = self._wakes(connection, WAKE_SECONDS)
        except Exception as error:
            if not self._database.is_contended(error):
                raise
            return Sign("wake-up", False, f"others keep the database from being written to: {text_of(error)}")
        if heard:
            return Sign("wake-up", True, "a wake-up call reaches this server")
        return Sign("wake-up", False, f"a wake-up call has not reached this server within {WAKE_SECONDS:.0f} s")


def of_server(pulse: Pulse, is_ready: bool, is_stopping: bool, own: Sequence[Sign], prober: Prober) -> Health:
    """Return the health of a server in this process. `own` are the signs of its workers and listeners."""
    loop = loop_sign(pulse)
    signs = [loop]
    if is_stopping:
        signs.append(Sign("draining", False, "the server is about to stop, and begins nothing more"))
    elif not is_ready:
        signs.append(Sign("start", False, "the server waits for others, to enter the database"))
    else:
        signs += [*own, *prober.look()]
    return Health(loop.good, all(sign.good for sign in signs), signs)


def of_database(prober: Prober) -> Health:
    """Return the health of a process without a server: it lives if it answers."""
    signs = prober.look()
    return Health(True, all(sign.good for sign in signs), signs)


def loop_sign(pulse: Pulse) -> Sign:
    if pulse.has_ended:
        return Sign("loop", False, "the loop of the server has ended")
    if pulse.late:
        return Sign("loop", False, f"the loop of the server should have been back {pulse.late:.0f} s ago")
    return Sign("loop", True, "goes round")


MAX_LANES_NAMED = 3
"""The most lanes to name in which runs hang."""


def workers_sign(stuck: Mapping[AssignmentKind, Sequence[Assignment]], limit: float) -> Sign:
    """Return whether workers are left, given the kinds of work without any. After `limit` seconds, a run is held up."""
    if not stuck:
        return Sign("workers", True, "are left for each kind of work")
    kinds = " and ".join(_in_words(kind, assignments) for kind, assignments in stuck.items())
    since = f"all that it could have have been with one run for more than {limit:g} s"
    return Sign("workers", False, f"none is left for {kinds}: {since}")


def listeners_sign(hanging: Sequence[HangingListener]) -> Sign:
    """Return whether all listeners return from events in time."""
    if not hanging:
        return Sign("listeners", True, "return in time")
    return Sign("listeners", False, "; ".join(map(_hanging_in_words, hanging)))


def _hanging_in_words(listener: HangingListener) -> str:
    dropped = f", and {listener.dropped:,} were dropped" if listener.dropped else ""
    with_one = f"{listener.name} has been with one event for {listener.seconds:.0f} s"
    return f"{with_one}; {listener.waiting:,} wait for it{dropped}"


def _in_words(kind: AssignmentKind, assignments: Sequence[Assignment]) -> str:
    """Return a kind of work, and where it hangs."""
    if isinstance(kind, OwnWork):
        return kind.source
    lanes = sorted({lane for assignment in assignments for lane in assignment.lanes})
    more = ", …" if len(lanes) > MAX_LANES_NAMED else ""
    name = "external and parallel runs" if kind == "long" else "short runs"
    return f"{name} (lanes {', '.join(lanes[:MAX_LANES_NAMED])}{more})"
