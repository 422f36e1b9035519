"""The object that the fixture `afterwork` gives to a test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import MissingGreenlet

from afterwork.app import Afterwork, Ended, ended_runs
from afterwork.boundary import failure_of
from afterwork.clock import Clock
from afterwork.errors import BadRequest, JobFailed, NotAwaited, NoTestDatabase
from afterwork.jobs.run import Raised, Run
from afterwork.jobs.runner import Around, Runner
from afterwork.model.lane import Lane
from afterwork.saving.later import Declared
from afterwork.sources.timer.rounds import Rounds
from afterwork.testing.commits import following_commits
from afterwork.testing.movable_clock import MovableClock, everywhere
from afterwork.testing.places import place_of
from afterwork.testing.requests import Asked, RequestedWork, Requests, Wanted

if TYPE_CHECKING:
    from afterwork.testing.places import Bind

HarnessMode = Literal["inline", "drain", "none"]
MODES: tuple[HarnessMode, ...] = ("inline", "drain", "none")

Some = TypeVar("Some")


class Testing:
    """An application under test. Nothing runs in the background: its jobs run when the test says so.

    In the mode "drain" that is when it calls `drain()`; in the mode "inline" also whenever the code under test commits
    a session; in the mode "none" never. `app` is the application, `clock` the clock of all that it does, and `ended`
    has all runs so far, in order, with their outcomes. Jobs run in the open transaction of `bind`, or commit if it is
    an Engine. Raises `NoTestDatabase` if they can run in neither, and `BadRequest` for an unknown mode.
    """

    __test__ = False

    def __init__(self, app: Afterwork, bind: "Bind", mode: HarnessMode = "drain") -> None:
        if mode not in MODES:
            raise BadRequest(f"There is no mode {mode!r}. The modes are {', '.join(MODES)}.")
        self.app = app
        self.mode: HarnessMode = mode
        self.clock = MovableClock()
        self.ended: list[Ended] = []
        self.aio = AsyncTesting(self, bind)
        self._place = place_of(bind, app.settings)
        self._failures: dict[UUID, Exception] = {}
        self._has_begun = self._is_running = False

    @contextmanager
    def lasting(self) -> Iterator["Testing"]:
        """Have the application under test within the block."""
        with ExitStack() as stack:
            stack.enter_context(everywhere(self.clock))
            stack.enter_context(_with_clock(self.app, self.clock))
            stack.enter_context(following_commits(self._has, self._committed))
            yield self

    @contextmanager
    def inline(self) -> Iterator[None]:
        """Run jobs inline within the block, whatever the test's mode is."""
        before, self.mode = self.mode, "inline"
        try:
            yield
        finally:
            self.mode = before

    def drain(self, *, check: bool = False) -> list[Ended]:
        """Run everything that is due by the clock, and what it makes due, in this thread. Return the runs, in order.

        With `check`, the exception of a job that raised is raised here, once all have run: its own, or an
        `ExceptionGroup` of several. Raises `BadRequest` in the mode "none", and what `app.run_until_idle` raises.
        """
        if self.mode == "none":
            raise BadRequest('This test runs no jobs (its mode is "none"). Give it the mode "drain" or "inline".')
        with _awaited("afterwork.drain()"):
            ended = self._run()
        if check:
            self._raise_failures(ended)
        return ended

    def asked(
        self,
        work: RequestedWork | None = None,
        *,
        at: datetime | None = None,
        after: timedelta | None = None,
        lane: str | Lane | Declared | None = Declared.LANE,
        priority: int | None = None,
    ) -> Asked:
        """Return the tickets that were asked for, whatever has become of them: an empty list is false.

            assert afterwork.asked(order.remind, after=timedelta(days=3))
            assert not afterwork.asked(Order.remind)

        `work` is what `aw.later` takes, or a class's method, a class of view models, or a name, for any root; without
        it, all tickets are returned. `at`, `after`, `lane` and `priority` are as for `aw.later`, and count if they are
        given. The session of the work's object is flushed before. Receipts whose DeleteTime has passed are gone.
        Raises `BadRequest` for what is no work of the model.
        """
        with _awaited("afterwork.asked(…)"), self._place.session() as session:
            return Requests(self.app.model, session, self.clock).like(Wanted(work, at, after, lane, priority))

    def _has(self, connection: Connection) -> bool:
        """Return whether a connection is to the place, and used by the code under test rather than by a job."""
        return not self._is_running and self._place.has(connection)

    def _committed(self) -> None:
        """Do what follows a commit of the code under test."""
        self._place.as_if_committed()
        if self.mode == "inline":
            self._raise_failures(self._run())

    def _run(self) -> list[Ended]:
        if self._is_running:
            raise BadRequest("A job can't drain: its own run has not ended.")
        ended: list[Ended] = []
        self._is_running = True
        try:
            self._place.as_if_committed()
            with self._place.opened() as (database, connection):
                runner = self.app.runner(database, connection)
                self._begin(runner, connection)
                for runs in ended_runs(replace(runner, around=self._noting(runner.around)), connection):
                    ended += runs
                    self.ended += runs
        finally:
            self._is_running = False
        return ended

    def _begin(self, runner: Runner, connection: Connection) -> None:
        """Have all timers run for the first time an interval after the test began, however long ago they last did."""
        rounds = runner.source(Rounds)
        if rounds is not None and not self._has_begun:
            start = self.clock.start
            with runner.database.transaction(connection):
                for name, timed in rounds.works.items():
                    rounds.timers.set_due(connection, name, timed.when.after(start, start), start)
        self._has_begun = True

    def _noting(self, around: Around) -> Around:
        @contextmanager
        def noting(run: Run) -> Iterator[None]:
            self._failures.pop(run.id, None)
            try:
                with around(run):
                    yield
            except BaseException as error:
                self._failures[run.id] = failure_of(error)
                raise

        return noting

    def _raise_failures(self, ended: list[Ended]) -> None:
        """Raise what the code of runs raised, if any did."""
        failed = [self._failure(run.run, run.outcome) for run in ended if isinstance(run.outcome, Raised)]
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise ExceptionGroup(f"{len(failed)} runs raised", failed)

    def _failure(self, run: Run, raised: Raised) -> Exception:
        error = self._failures.pop(run.id, None)
        if error is None:
            return JobFailed(f"{run.what} failed: {raised.error}")
        error.add_note(f"It was raised by a run of {run.what}.")
        return error


class AsyncTesting:
    """The same for tests with an AsyncConnection, to be awaited: `await afterwork.aio.drain()`."""

    def __init__(self, testing: Testing, bind: "Bind") -> None:
        self._testing, self._bind = testing, bind

    async def drain(self, *, check: bool = False) -> list[Ended]:
        """Run everything that is due, as `drain` does."""
        return await self._within(lambda: self._testing.drain(check=check))

    async def asked(self, work: RequestedWork | None = None, **wanted: Any) -> Asked:
        """Return the tickets that were asked for, as `asked` does."""
        return await self._within(lambda: self._testing.asked(work, **wanted))

    async def _within(self, call: Callable[[], Some]) -> Some:
        run_sync = getattr(self._bind, "run_sync", None)
        if run_sync is None:
            raise NoTestDatabase("afterwork.aio is for an AsyncConnection.")
        done: Some = await run_sync(lambda _: call())
        return done


@contextmanager
def _with_clock(app: Afterwork, clock: Clock) -> Iterator[None]:
    before, app.clock = app.clock, clock
    try:
        yield
    finally:
        app.clock = before


@contextmanager
def _awaited(call: str) -> Iterator[None]:
    try:
        yield
    except MissingGreenlet:
        raise NotAwaited(call, f"Write: await {call.replace('afterwork.', 'afterwork.aio.')}") from None
