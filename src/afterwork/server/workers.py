"""The threads of a server that run jobs, each with a connection of its own."""

import itertools
import threading
from collections.abc import Callable
from queue import SimpleQueue

from sqlalchemy import Connection

from afterwork.store.database import Database

Task = Callable[[Connection], None]
Report = Callable[[Exception, int], None]
Todo = tuple[Task, Callable[[], None]]
Mailbox = SimpleQueue[Todo | None]
"""Where a thread that has nothing to do gets its next task, or None to end."""


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
        self._free: list[Mailbox] = []
        """Those of the threads that have nothing to do, the one that was busy last at the end."""
        self._doing: dict[int, Callable[[], None]] = {}
        """What ends the tasks that go on, by the numbers of their threads."""
        self.generation = 0
        """Connections of an earlier one are lost, and that is known."""

    def start(self, task: Task, ended: Callable[[], None]) -> None:
        """Let a thread do a task. Its exceptions are reported, not raised, with the generation of its connection.
        `ended` is called in any case, also when the task could not begin because there was no connection to be had."""
        with self._idle:
            self._busy += 1
            mailbox = self._free.pop() if self._free else self._another()
        mailbox.put((task, ended))

    def _another(self) -> Mailbox:
        mailbox, name = Mailbox(), f"afterwork-{next(self._numbers)}"
        threading.Thread(target=self._work, args=(mailbox,), name=name, daemon=True).start()
        return mailbox

    def reconnect(self) -> None:
        """Use new connections from now on: those of a database that was lost are lost, too."""
        self.generation += 1

    def free(self, thread: int) -> None:
        """Give a thread up that goes on with a task which has been abandoned: when it ends that, it ends itself."""
        with self._idle:
            ended = self._doing.pop(thread, None)
            if ended is None:
                return
            ended()
            self._busy -= 1
            self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> int:
        """Wait for all tasks to end. Returns how many have not in the given time."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)
            return self._busy

    def stop(self) -> None:
        """End the threads, each after what it is doing."""
        with self._idle:
            self._kept = 0
            for mailbox in self._free:
                mailbox.put(None)

    @property
    def _counts(self) -> bool:
        """Return whether what this thread does counts: it has not been given up."""
        return threading.get_ident() in self._doing

    def _end(self, mailbox: Mailbox) -> None:
        ended = self._doing.pop(threading.get_ident(), None)
        if ended is None:
            mailbox.put(None)  # it was given up, and has its place no more
            return
        ended()
        with self._idle:
            self._busy -= 1
            if len(self._free) < self._kept:
                self._free.append(mailbox)
            else:
                mailbox.put(None)
            self._idle.notify_all()

    def _work(self, mailbox: Mailbox) -> None:
        connection: Connection | None = None
        generation = self.generation
        while (todo := mailbox.get()) is not None:
            task, ended = todo
            self._doing[threading.get_ident()] = ended
            try:
                if generation != self.generation:
                    self._database.discard(connection)
                    connection, generation = None, self.generation
                if connection is None or connection.invalidated or connection.closed:
                    connection = self._database.connect()
                task(connection)
            except Exception as error:
                self._database.discard(connection)
                connection = None
                if self._counts:
                    self._report(error, generation)
            finally:
                self._end(mailbox)
        self._database.discard(connection)
