"""Due caches as values: why and when a cache is to run, and who has claimed it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.store.caches.tables import BLOCKED

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a run that has stored its effects is due again as long as nothing enqueues it."""

WAITING = BLOCKED + timedelta(days=300)
"""When a cache is due that waits for certain others."""


def blocked_due(level: int) -> datetime:
    """Return when a cache is due that is blocked until those of lower levels have run."""
    return min(BLOCKED + timedelta(seconds=level), WAITING - timedelta(days=1))


def shown_due(due: datetime | None) -> datetime | None:
    """Return when a cache is due, as people may see it; None while it waits for others."""
    return None if due is None or due >= BLOCKED else due


@dataclass(frozen=True)
class DueSummary:
    """The due caches of one derivation.

    `due` and `backfill` are the first due times that nobody has claimed, of caches outside and inside the backfill.
    `claimed` says that some are claimed, `backfilled` that the backfill is complete; `checksum` is that of the code
    that the values come from.
    """

    derivation: int
    due: datetime | None
    backfill: datetime | None
    claimed: bool
    backfilled: bool
    checksum: str | None

    def without_blocked(self) -> "DueSummary":
        """Return the summary of what waits for no other cache."""
        return replace(self, due=shown_due(self.due), backfill=shown_due(self.backfill))


@dataclass(frozen=True)
class DueEntry:
    """Why and when a cache is to run. `since` is when it was noted as stale; None if it becomes so only at `due`."""

    cache: int
    derivation: int
    due: datetime
    since: datetime | None
    cause: str
    backfill: bool = False
    cause_cache: int | None = None
    depth: int = 0
    attempts: int = 0
    reread: bool = True


@dataclass(frozen=True)
class ClaimedCache:
    """A cache that this server is going to run, with what its last run left.

    `since` is when it was noted as stale; `early_runs` counts the runs that were too early for what they read.
    """

    cache: int
    root: str
    digest: int | None
    runs: int
    cause: str
    cause_cache: int | None
    depth: int
    attempts: int
    reread: bool
    since: datetime | None = None
    early_runs: int = 0


@dataclass(frozen=True)
class CacheClaimRequest:
    """A request for the first due caches of a derivation: at most `limit`, for a server, under the id `claim`."""

    derivation: RegisteredDerivation
    is_backfill: bool
    limit: int
    server: int
    claim: str


@dataclass(frozen=True)
class ClaimedBatch:
    """Caches of one derivation that were claimed together."""

    claim: str
    derivation: RegisteredDerivation
    caches: list[ClaimedCache]

    def only(self, caches: Iterable[ClaimedCache]) -> "ClaimedBatch":
        """Return the part of the batch with some of its caches."""
        return ClaimedBatch(self.claim, self.derivation, list(caches))


@dataclass(frozen=True)
class StoredRun:
    """A claimed run that has stored its effects. They hold `until` then, if that is known.

    `enqueued` is the cause if the cache has become stale since.
    """

    cache: int
    derivation: int
    until: datetime | None
    enqueued: str | None
