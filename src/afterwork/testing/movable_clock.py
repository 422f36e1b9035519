"""A clock that goes on as the system's does, from wherever a test has moved it to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from afterwork.clock import Clock, SystemClock
from afterwork.errors import BadRequest, shown
from afterwork.model.utc_datetime import aware


class MovableClock:
    """A clock that a test moves forward. Otherwise it goes on: what the test writes down now is past at once.

    It begins with the true time, or with that of whatever has replaced `datetime.now`.
    """

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self.start = self._began = self.now()
        self._lived: list[tuple[datetime, datetime]] = []
        """The times that it told without a gap, from each move to the next."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, span: timedelta) -> None:
        """Move forward by a span. Raises `BadRequest` for a negative one, or for none."""
        if not isinstance(span, timedelta):
            raise BadRequest(f"{shown(span)} is no span of time. Give a timedelta: timedelta(hours=1).")
        if span < timedelta(0):
            raise BadRequest(f"{span} would put the clock back. What has happened can't happen later than now.")
        self._lived.append((self._began, self.now()))
        self._offset += span
        self._began = self.now()

    def move_to(self, moment: datetime) -> None:
        """Move forward to an aware time. Raises `BadRequest` if it has passed, `NaiveDatetime` without a time zone."""
        self.advance(aware(moment) - self.now())

    def has_told(self, moment: datetime) -> bool:
        """Return whether there was a moment at which this was the time."""
        lived = [*self._lived, (self._began, self.now())]
        return any(min(began, ended) <= moment <= max(began, ended) for began, ended in lived)


@contextmanager
def everywhere(clock: Clock) -> Iterator[None]:
    """Let the system's clock tell the time of another one within the block, in all threads."""
    system = SystemClock.now
    SystemClock.now = lambda self: clock.now()  # type: ignore[method-assign]
    try:
        yield
    finally:
        SystemClock.now = system  # type: ignore[method-assign]
