"""The worker threads of a server, each with a connection of its own."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Connection

from afterwork.errors import Escaped
from afterwork.store.database import Database
from afterwork.store.process import has_vanished
from afterwork.store.waker import WaitEnd

Task = Callable[[Connection], None]
Report = Callable[[Exception, int], None]
Todo = tuple[Task, Callable[[], None]]


@dataclass(eq=False)
class Seat:
    """The seat of one thread. Its task stays here until it is done, even if the thread is lost with it."""

    thread: threading.Thread = field(init=False)
    bell: "SimpleQueue[bool]" = field(default_factory=SimpleQueue)
    """Rung with True when a task waits, with False to end the thread."""
    todo: Todo | None = None
    connection: Connection | None = None
    driver: Any = None
    """The driver's part of the connection, for other threads."""
    generation: int = 0
    lanes: Callable[[], Collection[str]] = tuple
    """Returns the lanes that its task works on."""
    lost_by: BaseException | None = None
    overdue: object = None
    """The sign by which its transaction was last found to be over, though its task goes on."""
    overdue_since: float = 0.0
    is_disowned: bool = False
    """True once its task was abandoned: it is ended by others, and the thread ends itself when it comes back."""

    def do(self, todo: Todo) -> None:
        self.todo = todo
        self.bell.put(True)


@dataclass(frozen=True)
class LostThread:
    """A thread that ended unasked: in Python, by the exception `ended_by`, or in C, by `pthread_exit` or the like.

    With `is_midway`, it was doing a task for some lanes, on its `connection`. One that `is_overdue` goes on, though its
    transaction is over."""

    thread: threading.Thread
    ended_by: BaseException | None
    is_midway: bool
    connection: Connection | None
    generation: int
    lanes: Collection[str]
    is_overdue: bool


VANISHED_SECONDS = 0.25
"""The interval at which the system is asked which threads exist. Python notices only the end of its own code."""


CONNECT_PAUSE_SECONDS = 0.25
"""A thread that gets no connection keeps its task for this long: it would get it again at once."""


class Workers:
    """Threads, one per simultaneous task. `kept` of them stay when idle. They are daemons: a process that must end
    doesn't wait for them.

    The thread that was busy most recently gets the next task: its connection has prepared the statements already, and a
    server with little to do needs few connections."""

    def __init__(self, kept: int, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self._kept = kept
        self._idle = threading.Condition()
        self._busy = 0
        self._numbers = itertools.count()
        self._seats: set[Seat] = set()
        self._free: list[Seat] = []
        """Idle threads, the most recently busy one last."""
        self._ask_system_at = 0.0
        self.generation = 0
        """The current generation of connections. Those of earlier generations are known to be lost."""

    def start(self, task: Task, ended: Callable[[], None], lanes: Callable[[], Collection[str]] = tuple) -> None:
        """Give a task to a thread. Its exceptions are reported, not raised, with the generation of its connection.
        `ended` is always called, even if the task could not begin for want of a connection. `lanes` returns those that
        it works on."""
        with self._idle:
            self._busy += 1
            seat = self._free.pop() if self._free else self._another()
        seat.lanes, seat.overdue = lanes, None
        seat.do((task, ended))

    def _another(self) -> Seat:
        seat, name = Seat(), f"afterwork-{next(self._numbers)}"
        seat.thread = threading.Thread(target=self._work, args=(seat,), name=name, daemon=True)
        seat.thread.start()
        self._seats.add(seat)  # not before: one that has not begun looks like one that has ended
        return seat

    def reconnect(self) -> None:
        """Use new connections from now on: those to a lost database are lost, too."""
        self.generation += 1

    def disown(self, thread: threading.Thread) -> Callable[[], None]:
        """Let a thread whose task was abandoned report nothing more. Return what ends that task."""
        with self._idle:
            disowned = next((seat for seat in self._seats if seat.thread is thread), None)
            if disowned is None:
                return lambda: None
            disowned.is_disowned = True
        return partial(self._end, disowned, given_up=True)

    def lost(self) -> Iterator[LostThread]:
        """Yield the threads that ended unasked. Others take their places; their tasks ended with them."""
        seats = [seat for seat in self._seats.copy() if not seat.thread.is_alive()]
        if time.monotonic() >= self._ask_system_at:
            self._ask_system_at = time.monotonic() + VANISHED_SECONDS
            seats += self._vanished()
        for seat in [seat for seat in seats if not seat.is_disowned]:
            is_overdue = seat.thread.is_alive() and not has_vanished(seat.thread)
            seat.is_disowned = is_overdue
            is_midway = seat.todo is not None
            yield LostThread(
                seat.thread, seat.lost_by, is_midway, seat.connection, seat.generation, seat.lanes(), is_overdue
            )
            self._end(seat, given_up=True)

    def _vanished(self) -> list[Seat]:
        """Return the busy threads that no longer exist, although Python believes so, and those that are overdue."""
        busy = [seat for seat in self._seats.copy() if seat.todo is not None]
        return [seat for seat in busy if has_vanished(seat.thread) or self._is_overdue(seat)]

    def _is_overdue(self, seat: Seat) -> bool:
        """Return whether a thread has gone on for long without noticing that its transaction is over."""
        sign = None if seat.driver is None else self._database.overdue(seat.driver)
        if sign is None or sign != seat.overdue:
            seat.overdue, seat.overdue_since = sign, time.monotonic()
            return False
        return time.monotonic() - seat.overdue_since >= self._database.settings.abandon_after.total_seconds()

    def wait(self, seconds: float, waiting: Callable[[float], WaitEnd]) -> WaitEnd:
        """Wait for something else, by a function that may end early. A thread that vanishes meanwhile ends it, too."""
        until = time.monotonic() + seconds
        while self._busy and until - time.monotonic() > VANISHED_SECONDS:
            ended = waiting(VANISHED_SECONDS)
            if ended != "time":
                return ended
            if self._vanished():
                return "wake"
        return waiting(max(0.0, until - time.monotonic()))

    def count(self, by: int) -> None:
        """Count runs that go on without a thread among the tasks that somebody waits for."""
        with self._idle:
            self._busy += by
            self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> int:
        """Wait for all tasks to end. Return the number still busy after these seconds."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)
            return self._busy

    def stop(self) -> None:
        """End the threads, each after its current task."""
        with self._idle:
            self._kept = 0
            free, self._free = self._free, []
            for seat in free:
                seat.bell.put(False)

    def join(self, seconds: float) -> None:
        """Wait, at most this long, for threads that were told to end, and so for their connections to be closed."""
        until = time.monotonic() + seconds
        for seat in self._seats.copy():
            seat.thread.join(max(0.0, until - time.monotonic()))

    def _end(self, seat: Seat, given_up: bool = False) -> None:
        """End the task of a thread once: it is done, or nobody waits for it any longer."""
        with self._idle:
            todo, seat.todo = seat.todo, None
            if given_up:
                self._seats.discard(seat)
                self._free = [other for other in self._free if other is not seat]
        try:
            if todo is not None:
                _, ended = todo
                ended()
        finally:
            with self._idle:
                self._busy -= todo is not None
                if not given_up:
                    self._go_on(seat)
                self._idle.notify_all()

    def _go_on(self, seat: Seat) -> None:
        """Keep an idle thread for the next task, or let it end."""
        if seat in self._seats and len(self._free) < self._kept:
            self._free.append(seat)
        else:
            seat.bell.put(False)

    def _work(self, seat: Seat) -> None:
        try:
            while not seat.is_disowned and seat.bell.get():
                self._do(seat)
        except BaseException as error:  # raised from outside, between two tasks
            seat.lost_by = error
        else:
            with self._idle:
                self._seats.discard(seat)
        finally:
            self._database.discard(seat.connection)

    def _do(self, seat: Seat) -> None:
        assert seat.todo is not None
        task, _ = seat.todo
        try:
            task(self._connected(seat))
        except BaseException as raised:
            error = self._database.loss(seat.connection, raised)
            self._disconnect(seat)
            if not seat.is_disowned:
                self._report(error if isinstance(error, Exception) else Escaped(error), seat.generation)
        finally:
            if not seat.is_disowned:
                self._end(seat)

    def _connected(self, seat: Seat) -> Connection:
        """Return the connection of a thread, a new one if the old one can no longer be used."""
        if seat.generation != self.generation:
            seat.generation = self.generation
            self._disconnect(seat)
        if seat.connection is None or seat.connection.invalidated or seat.connection.closed:
            try:
                seat.connection = self._database.connect()
            except BaseException:
                time.sleep(CONNECT_PAUSE_SECONDS)
                raise
        seat.driver = seat.connection.connection.dbapi_connection
        return seat.connection

    def _disconnect(self, seat: Seat) -> None:
        connection, seat.connection, seat.driver = seat.connection, None, None
        self._database.discard(connection)
