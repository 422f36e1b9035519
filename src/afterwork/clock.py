"""What time it is. Everything that compares with the clock is given one of these."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Protocol

MAX_CLOCK_SKEW = timedelta(minutes=1)
"""How far the clocks of machines may differ. A ticket that asks for no time is due though its application's clock is
ahead by this much, and a server's clock that is behind by less was not put back."""


class Clock(Protocol):
    """Tells the moment, as an aware datetime in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to go on; for tests. It starts at the true time."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, span: timedelta) -> None:
        """Go forward by `span`."""
        self._now += span


_CLOCK: ContextVar[Clock | None] = ContextVar("afterwork_clock", default=None)


@contextmanager
def telling_time(clock: Clock) -> Iterator[None]:
    """Let `clock` be the one by which the code of the block counts."""
    token = _CLOCK.set(clock)
    try:
        yield
    finally:
        _CLOCK.reset(token)


def now() -> datetime:
    """What time it is for this code: in a run by the clock of its server, elsewhere by that of this machine."""
    return (_CLOCK.get() or SystemClock()).now()


class CurrentClock:
    """The clock that `now` goes by."""

    def now(self) -> datetime:
        return now()


_WATCH: ContextVar[Callable[[datetime], bool] | None] = ContextVar("afterwork_watch", default=None)


@contextmanager
def watching_time(watch: Callable[[datetime], bool] | None) -> Iterator[None]:
    """Let `watch` answer whether a moment has passed, for the code of the block: so it learns what is waited for."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def passed(moment: datetime, by: Clock) -> bool:
    """Whether a moment has passed: by a clock, where nobody watches."""
    watch = _WATCH.get()
    return moment <= by.now() if watch is None else watch(moment)
