"""The threads of a server that run jobs, each with a connection of its own."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

from sqlalchemy import Connection

from afterwork.errors import Escaped
from afterwork.store.database import Database

Task = Callable[[Connection], None]
Report = Callable[[Exception, int], None]
Todo = tuple[Task, Callable[[], None]]


@dataclass(eq=False)
class Seat:
    """The place of one thread. What it is to do stays here until it is done, also if the thread is lost with it."""

    thread: threading.Thread = field(init=False)
    bell: "SimpleQueue[bool]" = field(default_factory=SimpleQueue)
    """Rung with True when there is something to do, with False to end."""
    todo: Todo | None = None
    connection: Connection | None = None
    generation: int = 0
    lost_by: BaseException | None = None

    def do(self, todo: Todo) -> None:
        """Have the thread do something."""
        self.todo = todo
        self.bell.put(True)


class Workers:
    """Threads, as many as there are tasks at a time; so many are kept when they have nothing to do. They are daemons: a
    process that must end doesn't wait for them.

    The thread that was busy last is the next to be: its connection knows the statements already, and a server with
    little to do has few connections."""

    def __init__(self, kept: int, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self._kept = kept
        self._idle = threading.Condition()
        self._busy = 0
        self._numbers = itertools.count()
        self._seats: set[Seat] = set()
        self._free: list[Seat] = []
        """Those of the threads that have nothing to do, the one that was busy last at the end."""
        self.generation = 0
        """Connections of an earlier one are lost, and that is known."""

    def start(self, task: Task, ended: Callable[[], None]) -> None:
        """Let a thread do a task. Its exceptions are reported, not raised, with the generation of its connection.
        `ended` is called in any case, also when the task could not begin because there was no connection to be had."""
        with self._idle:
            self._busy += 1
            seat = self._free.pop() if self._free else self._another()
        seat.do((task, ended))

    def _another(self) -> Seat:
        seat, name = Seat(), f"afterwork-{next(self._numbers)}"
        seat.thread = threading.Thread(target=self._work, args=(seat,), name=name, daemon=True)
        self._seats.add(seat)
        seat.thread.start()
        return seat

    def reconnect(self) -> None:
        """Use new connections from now on: those of a database that was lost are lost, too."""
        self.generation += 1

    def free(self, thread: int) -> None:
        """Give a thread up that goes on with a task which has been abandoned: when it ends that, it ends itself."""
        with self._idle:
            found = next((seat for seat in self._seats if seat.thread.ident == thread), None)
        if found is not None:
            self._end(found, given_up=True)

    def lost(self) -> Iterator[tuple[str, BaseException | None]]:
        """Yield the names of threads that have ended though nobody asked them to, with what has ended them. Others take
        their places; what they were doing has ended with them."""
        for seat in [seat for seat in self._seats.copy() if not seat.thread.is_alive()]:
            self._end(seat, given_up=True)
            yield seat.thread.name, seat.lost_by

    def wait_until_idle(self, seconds: float) -> int:
        """Wait for all tasks to end. Returns how many have not in the given time."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)
            return self._busy

    def stop(self) -> None:
        """End the threads, each after what it is doing."""
        with self._idle:
            self._kept = 0
            for seat in self._free:
                seat.bell.put(False)

    def _end(self, seat: Seat, given_up: bool = False) -> None:
        """What a thread was doing has ended, or nobody waits for it any more: it is done with once."""
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
        """Keep a thread that has nothing to do, or let it end."""
        if seat in self._seats and len(self._free) < self._kept:
            self._free.append(seat)
        else:
            seat.bell.put(False)

    def _work(self, seat: Seat) -> None:
        try:
            while seat.bell.get():
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
        except BaseException as error:
            self._disconnect(seat)
            if seat.todo is not None:  # else it was given up, and counts no more
                self._report(error if isinstance(error, Exception) else Escaped(error), seat.generation)
        finally:
            self._end(seat)

    def _connected(self, seat: Seat) -> Connection:
        """The connection of a thread: a new one, if it has none that can still be used."""
        if seat.generation != self.generation:
            seat.generation = self.generation
            self._disconnect(seat)
        if seat.connection is None or seat.connection.invalidated or seat.connection.closed:
            seat.connection = self._database.connect()
        return seat.connection

    def _disconnect(self, seat: Seat) -> None:
        connection, seat.connection = seat.connection, None
        self._database.discard(connection)
