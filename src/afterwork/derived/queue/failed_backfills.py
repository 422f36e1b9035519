"""Backfills that have raised: they are left alone for a while, so that the caches of others go on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from afterwork.derived.queue.due_cache import DueSummary

PAUSE_AFTER_FAILURE = timedelta(minutes=1)
"""The time after which a backfill that raised is tried again."""


@dataclass
class FailedBackfills:
    """The backfills of a server that have raised, by derivation, each with the time of the next attempt."""

    again_at: dict[int, datetime] = field(default_factory=dict)

    def note(self, derivation: int, now: datetime) -> None:
        """Note that the next chunk of a backfill can't be added now."""
        self.again_at[derivation] = now + PAUSE_AFTER_FAILURE

    def next_attempt(self, now: datetime) -> datetime | None:
        """Return the time of the next attempt; None if no backfill waits for one."""
        return min((at for at in self.again_at.values() if at > now), default=None)

    def without(self, summaries: Mapping[int, DueSummary], now: datetime) -> Mapping[int, DueSummary]:
        """Return summaries in which a backfill that waits has nothing to add, and holds nobody up."""
        waiting = {derivation for derivation, at in self.again_at.items() if at > now}
        return {
            derivation: replace(summary, backfilled=True) if derivation in waiting else summary
            for derivation, summary in summaries.items()
        }
