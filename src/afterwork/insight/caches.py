"""What can be read of caches: how each stands over all objects, and lists of them. None of it takes longer the more
objects there are."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from afterwork.derived.cause import read_cause
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.insight.member_names import MemberNames
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.store import history
from afterwork.store.bounded_count import BOUND, Count, counted
from afterwork.store.history import Sums

SAMPLE_SIZE = 300
"""Caches of each kind, stale or not, whose causes are looked at."""

DerivationKind = Literal["value", "view model", "machine"]


@dataclass(frozen=True)
class BackfillProgress:
    """How far the filling of a cache has come: objects `done` of the `total` that there were when it began."""

    done: int
    total: int | None
    began: datetime | None
    is_filled: bool

    @property
    def share(self) -> float | None:
        """From 0 to 1; None as long as it has not begun."""
        if self.is_filled:
            return 1.0
        return None if self.total is None or self.began is None else min(1.0, self.done / max(1, self.total))

    def left(self, now: datetime) -> timedelta | None:
        """How long it still takes, if it goes on as it did; None where nothing can be said."""
        if self.is_filled or not self.share or self.began is None:
            return None
        return max(timedelta(0), (now - self.began) * (1 / self.share - 1))


@dataclass(frozen=True)
class CauseCount:
    """A cause, and how often it was met among those that were looked at."""

    what: str
    times: int


@dataclass(frozen=True)
class CacheSummary:
    """One cache of the model over all objects: how many are fresh and stale; of the stale ones, how many run just now;
    and of all, how many have failed the last time. `runs` are those of all time, as far as they were written down yet,
    and `mean` is how many seconds they took. `causes` is what made some of them stale, most frequent first."""

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


def summaries(connection: Connection, model: ModelInfo, now: datetime) -> list[CacheSummary]:
    """All caches of the model, and those that the database knows of and the model has no more, by name."""
    rows = {row.name: row for row in connection.execute(select(derivations))}
    naming, past = MemberNames(model), runs_of_all_time(connection)
    return [
        _unknown(model.derivations[name]) if row is None else _summary(connection, naming, row, past[name], now)
        for name in sorted(rows.keys() | model.derivations.keys())
        for row in [rows.get(name)]
    ]


def summary(connection: Connection, model: ModelInfo, name: str, now: datetime) -> CacheSummary:
    """One cache over all objects. Raises `BadRequest` if neither the model nor the database has it."""
    row = connection.execute(select(derivations).where(derivations.c.name == name)).one_or_none()
    if row is None:
        return _unknown(model.derivation_named(name))
    return _summary(connection, MemberNames(model), row, runs_of_all_time(connection)[name], now)


def runs_of_all_time(connection: Connection) -> Mapping[str, Sums]:
    """What the runs of caches have come to, by name."""
    found: dict[str, Sums] = defaultdict(Sums)
    for key, sums in history.of_all_time(connection).items():
        if key.trigger in ("cache", "machine"):
            found[key.work] += sums
    return found


def is_stale(now: datetime) -> ColumnElement[bool]:
    """Of what is due, what is stale, and not just to become so at some moment."""
    return or_(dues.c.since.is_not(None), dues.c.due <= now)


def count_stale(connection: Connection, definition: int, now: datetime) -> Count:
    """How many caches of a definition are stale, those included that run just now."""
    c = dues.c
    mine = select(c.cache).where(c.derivation == definition)
    waiting = [mine.where(c.claim.is_(None), c.backfill == fill) for fill in (False, True)]
    found = counted(connection, mine.where(c.claim.is_not(None)))
    for some in waiting:
        found += counted(connection, some.where(c.due <= now))
        found += _to_come(connection, some, now)
    return Count(min(found.number, BOUND), found.or_more or found.number > BOUND)


def _to_come(connection: Connection, waiting: Any, now: datetime) -> Count:
    """How many are stale though their moment is still to come: they have failed, or ran a short while ago. Others wait
    for a moment only, and those can be many."""
    next_ones = waiting.with_only_columns(dues.c.since).where(dues.c.due > now).order_by(dues.c.due).limit(BOUND)
    some = next_ones.subquery()
    return Count(connection.execute(select(func.count(some.c.since))).scalar_one())


def _summary(connection: Connection, naming: MemberNames, row: Row[Any], past: Sums, now: datetime) -> CacheSummary:
    c, d = caches.c, dues.c
    mine, runs = c.derivation == row.id, past.done + past.failed
    every = counted(connection, select(c.root).where(mine))
    stale = count_stale(connection, row.id, now)
    return CacheSummary(
        row.name,
        _kind(naming.model.derivations.get(row.name)),
        row.name in naming.model.derivations,
        every.less(stale),
        stale,
        counted(connection, select(d.cache).where(d.derivation == row.id, d.claim.is_not(None))),
        counted(connection, select(c.root).where(mine, c.error.is_not(None))),
        runs,
        past.seconds / runs if runs else None,
        _causes(naming, [*_last_causes(connection, row.id), *_due_causes(connection, row.id)]),
        BackfillProgress(row.backfill_done, row.backfill_total, row.backfill_began, row.backfilled),
    )


def _unknown(cache: Derivation) -> CacheSummary:
    none = Count(0)
    filling = BackfillProgress(0, None, None, False)
    return CacheSummary(cache.name, _kind(cache), True, none, none, none, none, 0, None, (), filling)


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


def _last_causes(connection: Connection, definition: int) -> Sequence[str | None]:
    """What made some run the last time. In the order of their texts, old and new objects are mixed."""
    c = caches.c
    some = select(c.cause).where(c.derivation == definition).order_by(c.root).limit(SAMPLE_SIZE)
    return connection.execute(some).scalars().all()


def _due_causes(connection: Connection, definition: int) -> Sequence[str | None]:
    d = dues.c
    some = (
        select(d.cause)
        .where(d.derivation == definition, d.claim.is_(None), ~d.backfill)
        .order_by(d.due)
        .limit(SAMPLE_SIZE)
    )
    return connection.execute(some).scalars().all()


def _causes(naming: MemberNames, texts: Sequence[str | None]) -> list[CauseCount]:
    found: Counter[str] = Counter()
    for text, times in Counter(texts).items():
        cause = read_cause(text)
        if cause is not None:
            found.update(dict.fromkeys(naming.causes(cause), times))
    return [CauseCount(what, times) for what, times in found.most_common()]
