"""Retry policies: what becomes of work that raised."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from afterwork.errors import BadDeclaration

FIRST = timedelta(seconds=10)
LONGEST = timedelta(hours=1)


def doubling(attempt: int) -> timedelta:
    """10 seconds after the first attempt, then twice as long each time, at most an hour."""
    factor: int = 2 ** min(attempt - 1, 20)
    return min(FIRST * factor, LONGEST)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Try again when the work raises: at most `attempts` times in all, `backoff` apart.

    `backoff` is a span, or a function from the number of the attempt that failed (1, 2, …) to one. `on` names the
    exceptions that are worth another attempt; any other ends the ticket at once.
    """

    attempts: int
    backoff: timedelta | Callable[[int], timedelta] = doubling
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise BadDeclaration(f"Retry(attempts={self.attempts}): it must be at least 1, the first attempt included.")
        if isinstance(self.backoff, timedelta) and self.backoff < timedelta(0):
            raise BadDeclaration(f"Retry(backoff={self.backoff}): a span back in time can't be waited for.")

    def again_after(self, attempt: int, error: Exception) -> timedelta | None:
        """How long to wait after attempt number `attempt` raised `error`; None if it was the last."""
        if attempt >= self.attempts or not isinstance(error, self.on):
            return None
        return self.backoff if isinstance(self.backoff, timedelta) else self.backoff(attempt)
