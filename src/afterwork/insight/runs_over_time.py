"""Runs over an hour, a day or a week: by time, work, kind, lane and server. Hours are read by the minute, the others by
the hour."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row

from afterwork.events import SourceKind
from afterwork.model.inspection import ModelInfo
from afterwork.model.machine.state_scope import base_of
from afterwork.store.history import Histogram
from afterwork.store.periods import HOURS, MINUTES, Periods

Span = Literal["hour", "day", "week"]

LENGTHS: Mapping[Span, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

MAX_GROUPS = 5_000
"""The most works, on each server, that are told apart. The sums by time and kind are of all."""

MAX_WORKS = 500
"""The most works that are shown."""

MAX_PERIODS = 2_000
"""The most sums by time and kind: more than a week has hours of kinds."""

NO_LANE = "(no lane)"
"""Stands for the lane of what runs in none: most caches, and works that the model no longer has."""


@dataclass(frozen=True)
class WantedRuns:
    """The runs that are wanted: those that meet all given parts. A work's lane is the one that it declares."""

    work: str | None = None
    kind: SourceKind | None = None
    lane: str | None = None
    server: int | None = None


@dataclass(frozen=True)
class RunPeriod:
    """The runs that ended in one minute or hour, which begins `at`: those that were done, by kind, and the others."""

    at: datetime
    done: Mapping[SourceKind, int]
    failed: int
    put_off: int


@dataclass(frozen=True)
class RunGroup:
    """Sums over the runs of one work, kind, lane or server: `seconds` of code, and `wait` from due to begin."""

    name: str
    done: int
    failed: int
    put_off: int
    seconds: float
    wait: float

    @property
    def ended(self) -> int:
        """Return the number of runs that have ended in any way."""
        return self.done + self.failed + self.put_off

    @property
    def mean(self) -> float | None:
        """Return the mean seconds of code, None without runs."""
        return self.seconds / self.ended if self.ended else None

    @property
    def waited(self) -> float | None:
        """Return the mean seconds from due to begin, None without runs."""
        return self.wait / self.ended if self.ended else None

    def __add__(self, other: "RunGroup") -> "RunGroup":
        counts = self.done + other.done, self.failed + other.failed, self.put_off + other.put_off
        return RunGroup(self.name, *counts, self.seconds + other.seconds, self.wait + other.wait)


@dataclass(frozen=True)
class RunsOverTime:
    """The runs of a span, with one period for each minute or hour, oldest first. Groups with most runs come first."""

    span: Span
    total: RunGroup
    periods: Sequence[RunPeriod]
    works: Sequence[RunGroup]
    kinds: Sequence[RunGroup]
    lanes: Sequence[RunGroup]
    servers: Sequence[RunGroup]

    @property
    def per_hour(self) -> float:
        """Return the number of runs that ended in an hour, on average."""
        return self.total.ended / (LENGTHS[self.span] / timedelta(hours=1))


@dataclass(frozen=True)
class Bucket:
    """A part of a histogram: `count` runs took more than `above` seconds and at most `most`, None for any."""

    above: float
    most: float | None
    count: int


@dataclass(frozen=True)
class Distribution:
    """Durations, in seconds, as a histogram without the empty buckets at its ends, and as percentiles.

    These are estimated from the histogram, and None without any run.
    """

    count: int
    buckets: Sequence[Bucket]
    p50: float | None
    p90: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> "Distribution":
        """Return the distribution of a stored histogram."""
        shares = (histogram.quantile(share) for share in (0.5, 0.9, 0.99))
        return cls(histogram.count, [Bucket(*bucket) for bucket in histogram.buckets()], *shares)


@dataclass(frozen=True)
class RunReader:
    """Reads runs over time from one database, as of one moment."""

    model: ModelInfo
    now: datetime

    def over(self, connection: Connection, span: Span, wanted: WantedRuns) -> RunsOverTime:
        """Return the runs of a span that are wanted."""
        table, since = _table(span), self._since(span)
        where = list(self._conditions(table, wanted))

        def sums(by: Sequence[str], most: int) -> Sequence[Row[Any]]:
            return table.totals(connection, since, where, by, most)

        by_time, by_work = sums(["at", "source"], MAX_PERIODS), sums(["work", "server"], MAX_GROUPS)
        kinds = _grouped(by_time, lambda row: str(row.source))
        return RunsOverTime(
            span,
            _added("all", kinds),
            self._periods(table, since, by_time),
            _grouped(by_work, lambda row: str(row.work))[:MAX_WORKS],
            kinds,
            _grouped(by_work, lambda row: self.lane_of(row.work)),
            _grouped(by_work, lambda row: str(row.server)),
        )

    def of_derivations(self, connection: Connection) -> Mapping[str, RunGroup]:
        """Return the sums of the last hour of each derivation, by name."""
        c = MINUTES.table.c
        where = [c.source.in_(("cache", "machine"))]
        rows = MINUTES.totals(connection, self._since("hour"), where, ["work"], MAX_GROUPS)
        return {row.work: _group(row.work, row) for row in rows}

    def distributions(self, connection: Connection, span: Span, work: str) -> tuple[Distribution, Distribution]:
        """Return how long a work's code took, and how long it was from due to done, within a span."""
        table = _table(span)
        both = table.histograms(connection, self._since(span), list(self._conditions(table, WantedRuns(work))))
        return Distribution.of(both[0]), Distribution.of(both[1])

    def lane_of(self, work: str) -> str:
        """Return the lane that a work declares."""
        timed, declared = self.model.timers.get(work), self.model.works.get(base_of(work))
        lane = timed.lane if timed is not None else None if declared is None else declared.lane
        if work in self.model.derivations:
            lane = getattr(self.model.derivations[work], "lane", None)
        return lane or NO_LANE

    def _since(self, span: Span) -> datetime:
        """Return the beginning of the first period: the current one is the last."""
        table, current = _table(span), self.now.replace(second=0, microsecond=0)
        current = current if table is MINUTES else current.replace(minute=0)
        return current - LENGTHS[span] + table.length

    def _periods(self, table: Periods, since: datetime, rows: Iterable[Row[Any]]) -> list[RunPeriod]:
        by_time: dict[datetime, list[Row[Any]]] = {}
        for row in rows:
            by_time.setdefault(row.at, []).append(row)
        moments = [since]
        while moments[-1] + table.length <= self.now:
            moments.append(moments[-1] + table.length)
        return [_period(at, by_time.get(at, ())) for at in moments]

    def _conditions(self, table: Periods, wanted: WantedRuns) -> Iterator[ColumnElement[bool]]:
        c = table.table.c
        if wanted.work is not None:
            yield c.work == wanted.work
        if wanted.kind is not None:
            yield c.source == wanted.kind
        if wanted.server is not None:
            yield c.server == wanted.server
        if wanted.lane == NO_LANE:
            yield c.work.not_in([name for name in self.model.work_names if self.lane_of(name) != NO_LANE])
        elif wanted.lane is not None:
            yield c.work.in_([name for name in self.model.work_names if self.lane_of(name) == wanted.lane])


def _table(span: Span) -> Periods:
    return MINUTES if span == "hour" else HOURS


def _period(at: datetime, rows: Sequence[Row[Any]]) -> RunPeriod:
    done = {row.source: int(row.done) for row in rows}
    return RunPeriod(at, done, sum(int(row.failed) for row in rows), sum(int(row.put_off) for row in rows))


def _group(name: str, row: Row[Any]) -> RunGroup:
    return RunGroup(name, int(row.done), int(row.failed), int(row.put_off), float(row.seconds), float(row.wait))


def _grouped(rows: Iterable[Row[Any]], name_of: Callable[[Row[Any]], str]) -> list[RunGroup]:
    """Return the sums by a name, those with most runs first."""
    by_name: dict[str, list[RunGroup]] = {}
    for row in rows:
        name = name_of(row)
        by_name.setdefault(name, []).append(_group(name, row))
    added = [_added(name, groups) for name, groups in by_name.items()]
    return sorted(added, key=lambda group: (-group.ended, group.name))


def _added(name: str, groups: Iterable[RunGroup]) -> RunGroup:
    return sum(groups, RunGroup(name, 0, 0, 0, 0.0, 0.0))
