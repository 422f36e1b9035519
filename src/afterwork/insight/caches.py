"""Caches over all objects: counts by state, causes, and backfill. The cost does not grow with the number of objects."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from afterwork.derived.cause import read_cause
from afterwork.derived.inversion.plans import refresh_plans
from afterwork.insight.member_names import MemberNames
from afterwork.insight.touches import SAMPLE_SIZE, CauseCount, count_touched, touching
from afterwork.insight.waiting_changes import waiting_changes
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.store import history
from afterwork.store.bounded_count import BOUND, NONE, Count, counted
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.history import Sums
from afterwork.store.journal.capture import load
from afterwork.store.journal.refresh import RefreshPlan

DerivationKind = Literal["value", "view model", "machine"]


@dataclass(frozen=True)
class BackfillProgress:
    """The progress of a backfill: objects `done` of the `total` when it began."""

    done: int
    total: int | None
    began: datetime | None
    is_complete: bool

    @property
    def share(self) -> float | None:
        """Return the share that is done, from 0 to 1; None before it has begun."""
        if self.is_complete:
            return 1.0
        return None if self.total is None or self.began is None else min(1.0, self.done / max(1, self.total))

    def left(self, now: datetime) -> timedelta | None:
        """Return the estimated time left at the speed so far, None if it can't be estimated."""
        if self.is_complete or not self.share or self.began is None:
            return None
        return max(timedelta(0), (now - self.began) * (1 / self.share - 1))


@dataclass(frozen=True)
class CacheSummary:
    """One derivation over all objects: the numbers of fresh and stale caches. `running` ones count as stale.

    `failed` counts those whose last run failed. `runs` counts all runs ever, as far as servers have written them,
    and `mean` is their duration in seconds. `causes` is what made some of them stale, most frequent first. One that
    `is_in_sets` is kept right by its expression alone; `why_not_in_sets` is why another one with an expression is not.
    One that `is_at_commit` is computed by the transactions of writers: only runs of servers are counted. `waiting`
    counts the changes of tables that it has read, at which no server has looked yet: some fresh ones may be stale.
    """

    name: str
    kind: DerivationKind | None
    known: bool
    fresh: Count
    stale: Count
    running: Count
    failed: Count
    runs: int
    mean: float | None
    causes: Sequence[CauseCount]
    backfill: BackfillProgress
    is_in_sets: bool = False
    is_at_commit: bool = False
    why_not_in_sets: str | None = None
    waiting: Count = NONE

    @property
    def way(self) -> str:
        """Return the way in which it is kept right, in words."""
        return "at commit" if self.is_at_commit else "in sets" if self.is_in_sets else "by its reads"


def summaries(connection: Connection, model: ModelInfo, now: datetime) -> list[CacheSummary]:
    """Return all caches by name: those of the model, and others that the database still knows."""
    rows = {row.name: row for row in connection.execute(select(derivations))}
    naming, past, plans = MemberNames(model), runs_of_all_time(connection), _plans(connection, model)
    waiting = waiting_changes(connection)
    return [
        _unknown(model.derivations[name], plans.get(name))
        if row is None
        else _with_waiting(_summary(connection, naming, row, past[name], plans.get(name), now), waiting.get(row.id))
        for name in sorted(rows.keys() | model.derivations.keys())
        for row in [rows.get(name)]
    ]


def summary(connection: Connection, model: ModelInfo, name: str, now: datetime) -> CacheSummary:
    """Return one cache over all objects. Raises `BadRequest` if neither the model nor the database has it."""
    row = connection.execute(select(derivations).where(derivations.c.name == name)).one_or_none()
    if row is None:
        return _unknown(model.derivation_named(name), _plans(connection, model).get(name))
    past, plan = runs_of_all_time(connection)[name], _plans(connection, model).get(name)
    found_by_reads = _summary(connection, MemberNames(model), row, past, plan, now)
    return _with_waiting(found_by_reads, waiting_changes(connection).get(row.id))


@dataclass(frozen=True)
class FailedValues:
    """The values of one cache whose last calculation raised: their number, and one of them with its error."""

    name: str
    count: Count
    root: str
    error: str


def failed_values(connection: Connection) -> list[FailedValues]:
    """Return the caches that have failed values."""
    c, failures = caches.c, list[FailedValues]()
    for derivation in connection.execute(select(derivations).order_by(derivations.c.name)):
        failed = select(c.root, c.error).where(c.derivation == derivation.id, c.error.is_not(None))
        first = connection.execute(failed.order_by(c.root).limit(1)).one_or_none()
        if first is not None:
            failures.append(FailedValues(derivation.name, counted(connection, failed), first.root, first.error))
    return failures


def _with_waiting(summary: CacheSummary, waiting: Count | None) -> CacheSummary:
    """Return a cache with the changes that wait for it. One in sets knows its touches, and reads no journal."""
    return summary if waiting is None or summary.is_in_sets else replace(summary, waiting=waiting)


def _plans(connection: Connection, model: ModelInfo) -> Mapping[str, RefreshPlan | str]:
    tables = load(connection, model.tables)
    return refresh_plans(connection, model.derivations.values(), tables)


def runs_of_all_time(connection: Connection) -> Mapping[str, Sums]:
    """Return the sums of all runs ever of each cache, by name."""
    by_name: dict[str, Sums] = defaultdict(Sums)
    for key, sums in history.of_all_time(connection).items():
        if key.source in ("cache", "machine"):
            by_name[key.work] += sums
    return by_name


def is_stale(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a row of the queue is stale, rather than due at a later time."""
    return or_(dues.c.since.is_not(None), dues.c.due <= now)


def count_stale(connection: Connection, derivation: int, now: datetime) -> Count:
    """Count the stale caches of a derivation, including those that are running."""
    c = dues.c
    mine = select(c.cache).where(c.derivation == derivation)
    waiting = [mine.where(c.claim.is_(None), c.backfill == fill) for fill in (False, True)]
    count = counted(connection, mine.where(c.claim.is_not(None)))
    for unclaimed in waiting:
        count += counted(connection, unclaimed.where(c.due <= now))
        count += _to_come(connection, unclaimed, now)
    return Count(min(count.number, BOUND), count.or_more or count.number > BOUND)


def _to_come(connection: Connection, waiting: Any, now: datetime) -> Count:
    """Count stale caches that are due later because they have failed, or ran a short time ago.

    The others wait for a time only, and can be many.
    """
    upcoming = waiting.with_only_columns(dues.c.since).where(dues.c.due > now).order_by(dues.c.due).limit(BOUND)
    bounded = upcoming.subquery()
    return Count(connection.execute(select(func.count(bounded.c.since))).scalar_one())


def _summary(
    connection: Connection,
    naming: MemberNames,
    row: Row[Any],
    past: Sums,
    plan: RefreshPlan | str | None,
    now: datetime,
) -> CacheSummary:
    c, d = caches.c, dues.c
    mine, runs = c.derivation == row.id, past.done + past.failed
    total = counted(connection, select(c.root).where(mine))
    stale = count_stale(connection, row.id, now)
    causes = _causes(naming, [*_last_causes(connection, row.id), *_due_causes(connection, row.id)])
    if isinstance(plan, RefreshPlan):
        total = counted(connection, select(*plan.key))
        stale += count_touched(connection, plan, total)
        causes += touching(connection, naming, plan)
    return CacheSummary(
        row.name,
        _kind(naming.model.derivations.get(row.name)),
        row.name in naming.model.derivations,
        total.less(stale),
        stale,
        counted(connection, select(d.cache).where(d.derivation == row.id, d.claim.is_not(None))),
        counted(connection, select(c.root).where(mine, c.error.is_not(None))),
        runs,
        past.seconds / runs if runs else None,
        causes,
        BackfillProgress(row.backfill_done, row.backfill_total, row.backfill_began, row.backfilled),
        *_way(plan),
    )


def _unknown(cache: Derivation, plan: RefreshPlan | str | None) -> CacheSummary:
    """Return a cache that no server has come to yet."""
    none = Count(0)
    progress = BackfillProgress(0, None, None, False)
    counts = (none, none, none, none, 0, None, ())
    return CacheSummary(cache.name, _kind(cache), True, *counts, progress, *_way(plan))


def _way(plan: RefreshPlan | str | None) -> tuple[bool, bool, str | None]:
    """Return whether a cache is in sets, and at commit, and why it is not in sets."""
    match plan:
        case RefreshPlan():
            return True, plan.is_at_commit, None
        case _:
            return False, False, plan


def _kind(cache: Derivation | None) -> DerivationKind | None:
    match cache:
        case MemberDerivation():
            return "value"
        case ViewModelDerivation():
            return "view model"
        case MachineDerivation():
            return "machine"
        case None:
            return None


def _last_causes(connection: Connection, derivation: int) -> Sequence[str | None]:
    """Return the causes of last runs. In the order of their texts, old and new objects are mixed."""
    c = caches.c
    sample = select(c.cause).where(c.derivation == derivation).order_by(c.root).limit(SAMPLE_SIZE)
    return connection.execute(sample).scalars().all()


def _due_causes(connection: Connection, derivation: int) -> Sequence[str | None]:
    d = dues.c
    sample = (
        select(d.cause)
        .where(d.derivation == derivation, d.claim.is_(None), ~d.backfill)
        .order_by(d.due)
        .limit(SAMPLE_SIZE)
    )
    return connection.execute(sample).scalars().all()


def _causes(naming: MemberNames, texts: Sequence[str | None]) -> list[CauseCount]:
    counts: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        cause = read_cause(text)
        if cause is not None:
            counts.update(dict.fromkeys(naming.causes(cause), times))
    return [CauseCount(what, times) for what, times in counts.most_common()]
