"""The thread of an event loop in which the runs of one server are awaited."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary

from afterwork.errors import NoCurrentRun
from afterwork.jobs.async_run import AsyncRun, Hands
from afterwork.jobs.run import Run, current_run

BLOCKED_SECONDS = 0.75
"""A loop that was found going round, and has not for this long since, is blocked: one run keeps it from all others."""

LOOK_SECONDS = 0.25
"""The interval at which a loop with runs is looked at."""

END_SECONDS = 1.0
"""The time that whatever still goes on in a loop has to end with it."""

TellBlocked = Callable[[Run | None, float], None]
"""Called with the run that blocks the loop, if it is known, and for how many seconds."""


class LoopThread:
    """A thread with an event loop. `is_blocked` is called each time the loop is found blocked, `looked` at each look,
    both in a thread of their own. It lasts until `stop`, since a job may keep a client that belongs to the loop."""

    def __init__(self, is_blocked: TellBlocked, looked: Callable[[], None]) -> None:
        self._is_blocked = is_blocked
        self._looked = looked
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(self._task)
        self._runs: WeakKeyDictionary[asyncio.Task[Any], Run] = WeakKeyDictionary()
        self._count = 0
        self._waiting: set[AsyncRun] = set()
        """Runs that have not begun."""
        self._has_runs = threading.Condition()
        self._is_over = False
        self.blocked_since: float | None = None
        self.thread = threading.Thread(target=self._serve, name="afterwork-loop", daemon=True)
        self.thread.start()
        threading.Thread(target=self._watch, name="afterwork-loop-watch", daemon=True).start()

    def start(self, run: AsyncRun, hands: Hands, ended: Callable[[], None]) -> None:
        """Have a run awaited in the loop, from any thread. `ended` is called in the loop at its end."""
        with self._has_runs:
            self._count += 1
            self._waiting.add(run)
            self._has_runs.notify()

        def begin() -> None:
            with self._has_runs:
                if run not in self._waiting:
                    return  # another loop has it
                self._waiting.remove(run)
            task = self._loop.create_task(run.go_on(hands), name=run.call.run.work)
            self._runs[task] = run.call.run
            run.cancel = lambda: self.call(task.cancel)
            task.add_done_callback(lambda _: self._ended(ended))

        # A context of its own: what begins the run may be part of something else.
        self._loop.call_soon_threadsafe(begin, context=Context())

    def give_back(self) -> list[AsyncRun]:
        """Return the runs that have not begun, which this loop will not begin any more."""
        with self._has_runs:
            waiting, self._waiting = self._waiting, set()
            self._count -= len(waiting)
        return list(waiting)

    def _ended(self, ended: Callable[[], None]) -> None:
        with self._has_runs:
            self._count -= 1
        ended()

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the loop soon, from any thread, unless the loop is over."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """End the loop, and all that still goes on in it."""
        with self._has_runs:
            self._is_over = True
            self._has_runs.notify()
        self.call(self._loop.stop)
        if threading.current_thread() is not self.thread:
            self.thread.join(END_SECONDS)

    def is_blocked_for(self, seconds: float) -> bool:
        """Return whether the loop has been blocked for this long."""
        since = self.blocked_since
        return since is not None and time.monotonic() - since >= seconds

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        """Make a task that is known to belong to the run that makes it."""
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        with suppress(NoCurrentRun):
            self._runs[task] = current_run()
        return task

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_over:
            # What a task of a job's own raises may pass through the loop; whatever it is, the others go on.
            with suppress(BaseException):
                self._loop.run_forever()
        with suppress(BaseException):
            self._loop.run_until_complete(self._end_tasks())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _end_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_SECONDS)

    def _watch(self) -> None:
        while True:
            with self._has_runs:
                self._has_runs.wait_for(lambda: self._count or self._is_over)
            if self._is_over:
                return
            self._look()
            self._looked()
            time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        """Wait for the loop to go round. If it takes too long, tell who keeps it."""
        went_round, began = threading.Event(), time.monotonic()
        self.call(went_round.set)
        while not (went_round.wait(BLOCKED_SECONDS) or self._is_over):
            self.blocked_since = began
            task = asyncio.current_task(self._loop)
            self._is_blocked(None if task is None else self._runs.get(task), time.monotonic() - began)
            self._looked()
        self.blocked_since = None
