"""The threads of a server that run jobs, each with a connection of its own."""

import queue
import threading
from collections.abc import Callable

from sqlalchemy import Connection

from afterwork.store.database import Database

Task = Callable[[Connection], None]
Report = Callable[[Exception, int], None]


class Workers:
    """A fixed number of threads. They are daemons: a process that must end doesn't wait for them."""

    def __init__(self, count: int, database: Database, report: Report) -> None:
        self._tasks: queue.SimpleQueue[tuple[Task, Callable[[], None]] | None] = queue.SimpleQueue()
        self._database = database
        self._report = report
        self._idle = threading.Condition()
        self._busy = 0
        self.count = count
        self.generation = 0
        """Connections of an earlier one are lost, and that is known."""
        self._threads = [threading.Thread(target=self._work, name=f"afterwork-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    @property
    def free(self) -> int:
        """How many threads have nothing to do."""
        return self.count - self._busy

    def start(self, task: Task, ended: Callable[[], None]) -> None:
        """Let a thread do a task. Its exceptions are reported, not raised, with the generation of its connection.
        `ended` is called in any case, also when the task could not begin because there was no connection to be had."""
        with self._idle:
            self._busy += 1
        self._tasks.put((task, ended))

    def reconnect(self) -> None:
        """Use new connections from now on: those of a database that was lost are lost, too."""
        self.generation += 1

    def wait_until_idle(self, seconds: float) -> int:
        """Wait for all tasks to end. Returns how many have not in the given time."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout=seconds)
            return self._busy

    def stop(self) -> None:
        """End the threads, each after what it is doing."""
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        connection: Connection | None = None
        generation = self.generation
        while (todo := self._tasks.get()) is not None:
            task, ended = todo
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
                self._report(error, generation)
            finally:
                ended()
                with self._idle:
                    self._busy -= 1
                    self._idle.notify_all()
        self._database.discard(connection)
