"""Retry policies: whether and when work that raised is tried again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from afterwork.errors import BadDeclaration, Escaped, shown
from afterwork.model.functions import check_callable

FIRST_BACKOFF = timedelta(seconds=10)
MAX_BACKOFF = timedelta(hours=1)

MAX_WAIT = timedelta(days=36_500)
"""The longest delay: a hundred years, which fits into every column of timestamps."""


def doubling(attempt: int) -> timedelta:
    """Return 10 seconds after the first attempt, then twice as long each time, at most an hour."""
    factor: int = 2 ** min(attempt - 1, 20)
    return min(FIRST_BACKOFF * factor, MAX_BACKOFF)


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Try again when the work raises: at most `attempts` times in all, `backoff` apart.

    `backoff` is a timedelta, or a function from the number of the attempt that failed (1, 2, …) to one. `on` names the
    exceptions that are worth another attempt; any other ends the ticket at once. A function that raises, or returns no
    timedelta, is logged, and the default applies: 10 seconds after the first attempt, then twice as long each time, at
    most an hour. Raises `BadDeclaration` if `attempts` is below 1 or `backoff` negative.
    """

    attempts: int
    backoff: timedelta | Callable[[int], timedelta] = doubling
    on: tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if type(self.attempts) is not int:
            raise BadDeclaration(f"Retry(attempts={shown(self.attempts)}): it must be a whole number.")
        if self.attempts < 1:
            raise BadDeclaration(f"Retry(attempts={self.attempts}): it must be at least 1, the first attempt included.")
        if isinstance(self.backoff, timedelta) and self.backoff < timedelta(0):
            raise BadDeclaration(f"Retry(backoff={self.backoff}): a duration back in time can't be waited for.")
        if not isinstance(self.backoff, timedelta):
            check_callable(self.backoff, "Retry: its backoff", ["the number of the attempt"])
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise BadDeclaration(f"Retry(on={shown(self.on)}): give a tuple of exceptions, such as (OSError,).")

    def again_after(self, attempt: int, error: Exception) -> timedelta | None:
        """Return the delay after attempt number `attempt` raised `error`; None if it was the last.

        Raises what a function for `backoff` raises, and `BadDeclaration` if that returns no timedelta.
        """
        raised = error.raised if isinstance(error, Escaped) else error
        if attempt >= self.attempts or (not isinstance(raised, self.on) and not isinstance(error, self.on)):
            return None
        delay: object = self.backoff if isinstance(self.backoff, timedelta) else self.backoff(attempt)
        if not isinstance(delay, timedelta):
            raise BadDeclaration(f"Retry(backoff=…) gave {shown(delay)} for attempt {attempt}. It must be a timedelta.")
        return max(timedelta(0), min(delay, MAX_WAIT))


def checked_retry(where: str, retry: object) -> Retry | None:
    """Return a declared retry policy. Raises `BadDeclaration` unless it is an `aw.Retry` or None."""
    if retry is None or isinstance(retry, Retry):
        return retry
    raise BadDeclaration(f"{where}: its retry is {shown(retry)}. Give aw.Retry(attempts=5), or None.")
