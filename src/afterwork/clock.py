"""Clocks. Everything that compares with the current time is given one of these."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Protocol

MAX_CLOCK_SKEW = timedelta(minutes=1)
"""The tolerated difference between the clocks of machines. A ticket that asks for no time is due though its
application's clock is this far ahead, and a server's clock that is behind by less was not put back."""


class Clock(Protocol):
    """A source of the current time, as an aware datetime in UTC."""

    def now(self) -> datetime:
        """Return the current time, aware and in UTC."""
        ...


class SystemClock:
    """The clock of this machine, which applications have unless they are given another."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock for tests that stands still until it is advanced. It starts at the true time."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, span: timedelta) -> None:
        """Let time pass, or with a negative span go back."""
        self._now += span


_CLOCK: ContextVar[Clock | None] = ContextVar("afterwork_clock", default=None)


@contextmanager
def telling_time(clock: Clock) -> Iterator[None]:
    """Make `clock` the current one for the code of the block."""
    token = _CLOCK.set(clock)
    try:
        yield
    finally:
        _CLOCK.reset(token)


def now() -> datetime:
    """Return the current time: in a run by the clock of its server, elsewhere by that of this machine."""
    return (_CLOCK.get() or SystemClock()).now()


class CurrentClock:
    def now(self) -> datetime:
        return now()


_WATCH: ContextVar[Callable[[datetime], bool] | None] = ContextVar("afterwork_watch", default=None)


@contextmanager
def watching_time(watch: Callable[[datetime], bool] | None) -> Iterator[None]:
    """Let `watch` decide for the block which times have passed, and so learn which ones it waits for."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def passed(moment: datetime, by: Clock) -> bool:
    """Return whether a time has passed; by a clock, where nobody watches."""
    watch = _WATCH.get()
    return moment <= by.now() if watch is None else watch(moment)
