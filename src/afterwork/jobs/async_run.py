"""Async runs: begun and settled by threads with a connection, they need neither in between."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any, TypeVar

from sqlalchemy import Connection

from afterwork.boundary import CONTAINED, failure_of
from afterwork.clock import telling_time
from afterwork.errors import NoCurrentRun
from afterwork.jobs.attempts import Settled
from afterwork.jobs.execution import Call, Execution
from afterwork.jobs.perform import calls, within
from afterwork.jobs.progress import AsyncReporter, Errand, reporting
from afterwork.jobs.run import Outcome, Succeeded
from afterwork.jobs.session import AsyncRunSession
from afterwork.jobs.source import Claim
from afterwork.jobs.steps import AsyncSteps, stepping
from afterwork.jobs.time_limits import Settle
from afterwork.model.key import key_text
from afterwork.store.leases import Lease

T = TypeVar("T")

Hand = Callable[[Errand], None]


@dataclass(frozen=True)
class Hands:
    """Give errands to threads that have a connection: `read` those whose code is a job's, `write` those that are short
    for certain."""

    read: Hand
    write: Hand


Settling = Callable[[Connection, "AsyncRun"], Settled]


class AsyncRun:
    """A leased run that has all that it needs, and waits to be awaited.

    `cancel` cancels its task, and `disown` frees its place if it is abandoned; whoever awaits it sets them. `settle`
    writes how it has ended."""

    def __init__(
        self, lease: Lease, claim: Claim, session: AsyncRunSession, execution: Execution, call: Call, settle: Settling
    ) -> None:
        self.lease, self.claim = lease, claim
        self.session, self.execution = session, execution
        self.call = call
        self._settle = settle
        self.began = time.perf_counter()
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        """The exception that its code has raised."""
        self.lost: Exception | None = None
        """The error by which a connection was lost on which it read."""
        self.is_abandoned = False
        self.cancel: Callable[[], None] = lambda: None
        self.disown: Callable[[], Callable[[], None]] = lambda: lambda: None
        self._lock = threading.Lock()
        self._reads_on: Any = None
        """The driver's connection on which it reads."""
        self.reads_in: threading.Thread | None = None
        """The thread in which it reads."""
        self._is_interrupted = False

    @property
    def ticket(self) -> str:
        return self.lease.ticket

    def settle(self, connection: Connection) -> Settled:
        """Write how the run has ended, and release its lease."""
        self.reporter.forget(connection)
        return self._settle(connection, self)

    def ask_to_stop(self) -> None:
        """Cancel the run, which somebody has asked to stop."""
        self.reporter.ask_to_stop()
        self.cancel()

    # In the loop.

    async def go_on(self, hands: Hands) -> None:
        """Await the code of the run, and keep its outcome. Raises nothing."""
        self._hands = hands
        database, clock = self.execution.runner.database, self.execution.runner.clock
        self.reporter = AsyncReporter(database, clock, key_text(self.claim.key), hands.write)
        self._reading = asyncio.Lock()
        self.began = time.perf_counter()
        try:
            with CONTAINED:
                returned = await self._perform()
        except Exception as error:
            self.error = error
        else:
            seconds = time.perf_counter() - self.began
            self.outcome = Succeeded(seconds, self.execution.kept(self.claim, returned))

    async def _perform(self) -> object:
        call, runner = self.call, self.execution.runner
        steps = AsyncSteps(runner.database, self.errand, runner.clock, runner.events, call.run)
        with ExitStack() as stack:
            stack.enter_context(telling_time(runner.clock))
            stack.enter_context(reporting(self.reporter))
            stack.enter_context(stepping(steps))
            stack.enter_context(_awaiting(self))
            stack.enter_context(self._limit())
            stack.enter_context(runner.around(call.run))
            stack.enter_context(within(call.run, call.context))
            try:
                returned = None
                for function in calls(call.work, call.root, call.context):
                    result = function()
                    returned = await result if isawaitable(result) else result
            except asyncio.CancelledError:
                self.reporter.check()  # says why, if it was cancelled from outside
                raise
        return returned

    def _limit(self) -> AbstractContextManager[object]:
        runner, claim = self.execution.runner, self.claim
        timeout = runner.time_limits.of_run(self.call.work.timeout)
        if timeout is None:
            return nullcontext()
        settle = self._settle_abandoned
        limits = runner.time_limits
        watched = limits.async_run(claim.run, timeout, settle, self._interrupt, self._abandon, self._cut)
        self.reporter.watched = watched
        return limits.timeouts.over(watched)

    @property
    def _settle_abandoned(self) -> Settle:
        runner, claim, give_up = self.execution.runner, self.claim, self.execution.give_up

        def settle(connection: Connection, error: Exception) -> None:
            raised = runner.attempts.raised(connection, claim, error, self.began, give_up)
            give_up(connection, claim).fail(raised, error)

        return settle

    def _interrupt(self) -> None:
        self.cancel()
        with self._lock:
            if self._reads_on is not None:
                self._is_interrupted = True
                self.execution.runner.database.interrupt(self._reads_on)

    def _cut(self) -> None:
        with self._lock:
            if self._reads_on is not None:
                self.execution.runner.database.cut(self._reads_on)

    def _abandon(self) -> Callable[[], None]:
        self.is_abandoned = True
        return self.disown()

    # What it asks a database for.

    async def read(self, function: Callable[[], T]) -> T:
        """Call a function in a thread where the run's session has a connection."""
        async with self._reading:
            return await _done_by(self._hands.read, partial(self._read_on, function))

    def _read_on(self, function: Callable[[], T], connection: Connection) -> T:
        database = self.execution.runner.database
        try:
            with self._interruptible(connection), database.reading_only(connection), self.session.on(connection):
                return function()
        except Exception as error:
            if database.has_lost(connection, error):
                self.lost = error
            raise

    @contextmanager
    def _interruptible(self, connection: Connection) -> Iterator[None]:
        """Let a time-out cancel statements on a connection while the block lasts."""
        driver: Any = connection.connection.dbapi_connection
        with self._lock:
            self._reads_on, self.reads_in = driver, threading.current_thread()
        try:
            yield
        finally:
            with self._lock:
                self._reads_on = self.reads_in = None
            if self._is_interrupted:
                self.execution.runner.database.absorb(connection, driver)

    async def errand(self, function: Callable[[Connection], T]) -> T:
        """Await what a short function returns that a thread calls with a connection."""
        return await _done_by(self._hands.write, function)


async def _done_by(hand: Hand, function: Callable[[Connection], T]) -> T:
    done: Future[tuple[T | None, Exception | None]] = Future()
    context = copy_context()
    hand(partial(_do, done, lambda connection: context.run(function, connection)))
    result, error = await _ended(done)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _do(
    done: "Future[tuple[T | None, Exception | None]]", function: Callable[[Connection], T], connection: Connection
) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = function(connection)
    except BaseException as error:
        done.set_result((None, failure_of(error)))  # a result, since some exceptions can't be those of a future
    else:
        done.set_result((result, None))


async def _ended(done: "Future[T]") -> T:
    """Await a future. If cancelled meanwhile, wait until nothing goes on in its thread any more."""
    waiting = asyncio.wrap_future(done)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        while not (done.cancel() or done.done()):
            try:
                await asyncio.wait([waiting])
            except asyncio.CancelledError:
                continue
        raise


_async_run: ContextVar[AsyncRun] = ContextVar("afterwork_async_run")
"""The async run."""


@contextmanager
def _awaiting(run: AsyncRun) -> Iterator[None]:
    token = _async_run.set(run)
    try:
        yield
    finally:
        _async_run.reset(token)


def async_run() -> AsyncRun | None:
    """Return the run whose code is awaited here; None elsewhere."""
    return _async_run.get(None)


async def read(function: Callable[[], T]) -> T:
    """Read from the database in an `async def` work: `lines = await aw.read(lambda: list(order.lines))`.

    The root and its columns are there from the beginning; whatever else is loaded or queried goes this way. A thread
    calls the function, with the session of the run, and others are awaited meanwhile. Reads of one run come one after
    the other. The function sees what is committed by then, and can't write: what the run changes is written at its end.

    Returns what the function returns. Raises what it raises, and `NoCurrentRun` where no run is awaited: there, read
    directly.
    """
    run = async_run()
    if run is None:
        raise NoCurrentRun("aw.read works only inside an async def that Afterwork runs. Elsewhere, read directly.")
    return await run.read(function)
