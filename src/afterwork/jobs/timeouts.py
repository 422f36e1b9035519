"""Time-outs: code that runs too long is interrupted where it is, and abandoned where that doesn't help.

Its current statement is cancelled, its next `aw.progress(…)` raises, and code inside a transaction is interrupted
between two steps of Python. Code that waits in a library notices none of that. So a run that continues regardless is
abandoned: its thread is left to itself, its connection is cut, and another thread settles the run.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import TracebackType

from afterwork.errors import TimedOut
from afterwork.jobs.run import text_of

REPEAT_SECONDS = 0.25
"""Seconds after which a run that continues is interrupted again."""

IDLE_SECONDS = 1.0
"""Seconds for which the watching thread stays when it has nothing to watch."""


DisownThread = Callable[[threading.Thread], Callable[[], None]]
"""Lets a thread report nothing more. Returns what ends its task, so that others may have what it was working on."""


def only_asked() -> bool:
    """Return False: the run is interrupted by `aw.progress` alone."""
    return False


@dataclass(eq=False)
class TimedRun:
    """The code of one run, in the thread that created this object. `interrupt` cancels its statement, and returns
    whether to interrupt Python as well. `absorb` waits until a late cancellation can do no harm. `cut` ends the
    connection of an abandoned run, and `give_up` settles the run then; None if it can't be abandoned."""

    timeout: timedelta
    interrupt: Callable[[], bool] = only_asked
    absorb: Callable[[], None] = lambda: None
    cut: Callable[[], None] = lambda: None
    give_up: Callable[[], None] | None = None
    thread: threading.Thread = field(default_factory=threading.current_thread)
    is_over: bool = False
    """True once its time is over."""
    moment: float = 0.0
    """The clock reading at which it is handled next."""
    last: float = 0.0
    """The clock reading from which on it is abandoned."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _goes_on: bool = True
    _is_interrupted: bool = False
    _is_abandoned: bool = False
    _is_undisturbed: bool = False

    def check(self) -> None:
        """Raise `TimedOut` if its time is over."""
        if self.is_over:
            raise TimedOut(self.timeout)

    def act(self) -> None:
        """Interrupt the run, whose time is over, unless it has ended."""
        with self._lock:
            if self._goes_on:
                self.is_over = True
                self._is_interrupted = True
                if not self._is_undisturbed and self._reaches_python():
                    _raise_in(self.thread, TimedOut)

    def _reaches_python(self) -> bool:
        """Cancel the statement. Return whether to interrupt Python as well: also if the connection is gone."""
        try:
            return self.interrupt()
        except Exception:  # nothing may end the thread that watches all other runs
            return True

    def abandon(self, disown: "DisownThread") -> Callable[[], None] | None:
        """Abandon the run, of which nothing counts any more. Return what frees its worker; None if it has ended."""
        with self._lock:  # a thread that comes back must not use its connection while that is being cut
            if not self._goes_on:
                return None
            self._is_abandoned = True
            frees = disown(self.thread)
            self.cut()
            return frees

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let nothing interrupt the thread while the block lasts, which must be short and followed by a check."""
        with self._lock:
            self._is_undisturbed = True
        try:
            yield
        finally:
            self._is_undisturbed = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None:
            with suppress(TimedOut):
                text_of(error)  # runs code of the exception's own, which later must not hang where nothing ends it
        self.end()
        if self.is_over:
            raise TimedOut(self.timeout) from None  # the text of what was raised may be what took so long

    def end(self) -> None:
        """Let nothing interrupt the thread any more."""
        if self._goes_on:
            self._take_interruption()
            if self._is_interrupted and not self._is_abandoned:
                self.absorb()

    def _take_interruption(self) -> None:
        """Raise a pending interruption here, where it does no harm.

        Withdrawing it would leave CPython 3.11 looking for it for ever, in all threads, and looping in any that is
        profiled or traced.
        """
        while self._goes_on:
            try:
                with self._lock:
                    self._goes_on = False
                while self._is_interrupted:
                    _raise_in(self.thread, TimedOut)  # replaces a pending one; a callback of the collector may eat it
            except TimedOut:
                continue


@dataclass(eq=False)
class TimedAsyncRun(TimedRun):
    """The code of one async run. `interrupt` cancels its task: the thread of the loop serves others, so
    nothing is raised there. `disown` frees what an abandoned run holds."""

    disown: Callable[[], Callable[[], None]] = lambda: lambda: None

    def end(self) -> None:
        with self._lock:
            self._goes_on = False

    def abandon(self, disown: "DisownThread") -> Callable[[], None] | None:
        return super().abandon(lambda _: self.disown())


def _raise_in(thread: threading.Thread, error: type[TimedOut]) -> None:
    """Raise an exception in a thread at its next step of Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))


class Timeouts:
    """The time-outs of one server's runs, watched by a thread that exists only while runs are watched. A run whose
    time is over has `patience` to end. `clock` reads monotonic seconds."""

    def __init__(self, patience: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience.total_seconds()
        self._clock = clock
        self._more = threading.Condition()
        self._running: set[TimedRun] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self.disown: DisownThread | None = None
        """Disowns the worker of an abandoned run. If None, no run is abandoned."""
        self._held: dict[threading.Thread, Callable[[], None]] = {}
        """By thread that gives up a run, what frees the worker of that run."""

    @contextmanager
    def over(self, watched: TimedRun) -> Iterator[None]:
        """Watch a run while the block lasts. Raises `TimedOut` if its time is over before it ends."""
        ends_at = watched.moment = self._clock() + watched.timeout.total_seconds()
        watched.last = ends_at + self._patience
        with self._more:
            self._running.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="afterwork-timeouts", daemon=True)
                self._thread.start()
            elif watched.moment < self._wakes_at:
                self._more.notify()
        try:
            with watched:
                yield
                watched.is_over |= self._clock() >= ends_at  # on a busy machine, the watching thread may be late
        finally:
            watched.end()  # also if it was interrupted just as it ended
            with self._more:
                self._running.discard(watched)

    def forget(self, thread: threading.Thread) -> None:
        """Watch nothing that a thread ran, since it is gone."""
        with self._more:
            self._running = {watched for watched in self._running if watched.thread is not thread}

    def look(self) -> float | None:
        """Handle the runs whose time is over. Return the seconds until the next look; None if nothing runs."""
        for watched in self._due():
            self._see_to(watched)
        with self._more:
            return min((max(0.0, run.moment - self._clock()) for run in self._running), default=None)

    def _due(self) -> Sequence[TimedRun]:
        with self._more:
            return [run for run in self._running if run.moment <= self._clock()]

    def _see_to(self, watched: TimedRun) -> None:
        watched.act()
        watched.moment = self._clock() + REPEAT_SECONDS
        if self.disown is None or watched.give_up is None or self._clock() < watched.last:
            return
        with self._more:
            self._running.discard(watched)
        # A thread of its own, so that a database that doesn't answer keeps no other run waiting.
        threading.Thread(target=self._give_up, args=(watched,), name="afterwork-gives-up", daemon=True).start()

    def _give_up(self, watched: TimedRun) -> None:
        """Abandon a run, settle it, and free its worker."""
        frees = watched.abandon(self._disown)
        if frees is not None:
            self._held[threading.current_thread()] = frees
            try:
                assert watched.give_up is not None
                watched.give_up()
            finally:
                self._free(threading.current_thread())

    def _disown(self, thread: threading.Thread) -> Callable[[], None]:
        """Disown a worker, or a thread that gives up a run and hangs in its turn: whoever settles the run then frees
        what that thread would have freed."""
        if thread in self._held:
            return partial(self._free, thread)
        assert self.disown is not None
        return self.disown(thread)

    def _free(self, thread: threading.Thread) -> None:
        self._held.pop(thread, lambda: None)()

    def _watch(self) -> None:
        while True:
            seconds = self.look()
            with self._more:
                if seconds is None and not self._more.wait_for(lambda: bool(self._running), IDLE_SECONDS):
                    self._thread = None
                    return
                self._wakes_at = min((run.moment for run in self._running), default=0.0)
                self._more.wait(max(0.0, self._wakes_at - self._clock()))
