"""The outcome of a run that raised: another attempt after a pause, or the end."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.orm.exc import StaleDataError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.errors import ChosenOutcome, RunAgain, TimedOut
from afterwork.events import BackOffFailed, Events
from afterwork.jobs.run import Outcome, Raised, Run, printable, text_of
from afterwork.jobs.source import Claim, JobSource
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.retry import Retry, doubling

Settled = list[tuple[Claim, Outcome]]


class Settles(Protocol):
    """Settles one claim whose run is over, see `Settlement`."""

    def fail(self, raised: Raised, error: Exception) -> Settled: ...

    def end(self, outcome: Outcome) -> Settled: ...


GiveUp = Callable[[Connection, Claim], Settles]
"""Returns what settles an abandoned run on a fresh connection, since its own is cut."""

PAUSE_WHEN_CONTENDED = timedelta(seconds=5)
"""The pause of a ticket whose rows somebody else has changed again and again."""

TRIES_WHEN_CHANGED = 3
"""Attempts of a run whose rows have other versions when it writes than when it read. They are limited, since the run
itself may have changed them."""


@dataclass(frozen=True)
class Attempts:
    """Decides on further attempts of the claims of one job source."""

    job_source: JobSource
    time_limits: TimeLimits
    clock: Clock
    events: Events

    def raised(self, connection: Connection, claim: Claim, error: Exception, began: float, give_up: GiveUp) -> Raised:
        """Return the outcome of a claim whose code raised. `began` is a reading of `time.perf_counter`.

        `connection` is in no transaction. `give_up` settles the claim if its back-off hangs."""
        seconds = time.perf_counter() - began
        if isinstance(error, ChosenOutcome):
            return Raised(printable(str(error)), self._chosen_pause(claim, error), seconds)
        raised = self._in_words(connection, claim, error, seconds, give_up)
        if isinstance(claim.work, str) or not self.job_source.counts_attempts(claim):
            return raised

        def settle(connection: Connection, hung: TimedOut) -> None:
            pause = self._in_time(claim, self._by_default(claim.run, hung))
            give_up(connection, claim).fail(replace(raised, again_after=pause), error)

        timeout = self.time_limits.of_hook(claim.work.timeout)
        limit = self.time_limits.over(connection, claim.run, timeout, settle)
        return replace(raised, again_after=self._again_after(claim, claim.work.retry, error, limit))

    def _chosen_pause(self, claim: Claim, chosen: ChosenOutcome) -> timedelta | None:
        return self._in_time(claim, chosen.pause) if isinstance(chosen, RunAgain) else None

    def _in_words(
        self, connection: Connection, claim: Claim, error: Exception, seconds: float, give_up: GiveUp
    ) -> Raised:
        def settle(connection: Connection, hung: TimedOut, raised: Raised) -> None:
            give_up(connection, claim).fail(raised, hung)

        timeout = self.time_limits.of_hook(None if isinstance(claim.work, str) else claim.work.timeout)
        return self.time_limits.in_words(connection, claim.run, error, seconds, timeout, settle)

    def _again_after(
        self, claim: Claim, policy: Retry | None, error: Exception, limit: AbstractContextManager[object]
    ) -> timedelta | None:
        """Return the pause before the next attempt; None if this was the last. Rows that somebody else has changed
        meanwhile are worth some attempts even without a policy."""
        pause = None if policy is None else self._pause_of(policy, claim.run, error, limit)
        if pause is None and isinstance(error, StaleDataError) and claim.run.attempt < TRIES_WHEN_CHANGED:
            pause = PAUSE_WHEN_CONTENDED
        return self._in_time(claim, pause)

    def _in_time(self, claim: Claim, pause: timedelta | None) -> timedelta | None:
        """Return the pause before another attempt; None if that would come too late for the ticket."""
        late = pause is not None and claim.not_after is not None and self.clock.now() + pause > claim.not_after
        return None if late else pause

    def _pause_of(
        self, policy: Retry, run: Run, error: Exception, limit: AbstractContextManager[object]
    ) -> timedelta | None:
        try:
            with CONTAINED, limit:
                return policy.again_after(run.attempt, error)
        except Exception as wrong:
            return self._by_default(run, wrong)

    def _by_default(self, run: Run, wrong: Exception) -> timedelta:
        """Return the pause after an attempt whose back-off fails, and report that."""
        pause = doubling(run.attempt)
        self.events.emit(BackOffFailed(run.work, text_of(wrong), pause.total_seconds()))
        return pause
