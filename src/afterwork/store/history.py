"""The history of runs: sums per minute and of all time, and records of single runs. Nothing is written per run."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select, text, tuple_, update

from afterwork.events import SourceKind
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.tables import minute as minutes
from afterwork.store.tables import run as runs
from afterwork.store.tables import total as totals
from afterwork.store.texts import storable_or_none

DIGITS = 6
"""The digits of estimated seconds behind the point."""

BOUNDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
    1000.0, 2000.0, 5000.0, 10000.0,
)  # fmt: skip
"""The upper bounds of the buckets of histograms, in seconds. One more bucket holds everything above."""


SUM = " s="
"""Stands before the sum in the text of a histogram."""

RecordedOutcome = Literal["done", "failed", "put off"]


class HistoryKey(NamedTuple):
    """The attributes by which runs are summed up."""

    work: str
    source: SourceKind


class Cell(NamedTuple):
    """One minute of a key."""

    minute: datetime
    key: HistoryKey


@dataclass
class Histogram:
    """The numbers of durations in the buckets of `BOUNDS`, and the sum of the durations in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    @classmethod
    def of(cls, text: str) -> "Histogram":
        """Read a histogram from its stored text: the counts of the buckets, without trailing zeros, and the sum."""
        first, _, seconds = text.partition(SUM)
        counts = [int(count) for count in first.split()]
        return cls(counts + [0] * (len(BOUNDS) + 1 - len(counts)), float(seconds or 0))

    def __str__(self) -> str:
        last = max((place for place, count in enumerate(self.counts) if count), default=-1)
        return " ".join(map(str, self.counts[: last + 1])) + (
            f"{SUM}{round(self.seconds, 6)!r}" if self.seconds else ""
        )

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a duration `count` times."""
        self.counts[bisect_left(BOUNDS, seconds)] += count
        self.seconds += seconds * count

    def __add__(self, other: "Histogram") -> "Histogram":
        counts = [a + b for a, b in zip_longest(self.counts, other.counts, fillvalue=0)]
        return Histogram(counts, self.seconds + other.seconds)

    def __sub__(self, other: "Histogram") -> "Histogram":
        counts = [a - b for a, b in zip_longest(self.counts, other.counts, fillvalue=0)]
        return Histogram(counts, self.seconds - other.seconds)

    @property
    def count(self) -> int:
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[float, float | None, int]]:
        """Yield the bounds and the count of each bucket, from the first duration to the last. The uppermost has no
        upper bound."""
        filled = [place for place, count in enumerate(self.counts) if count]
        for place in range(filled[0], filled[-1] + 1) if filled else ():
            high = BOUNDS[place] if place < len(BOUNDS) else None
            yield (BOUNDS[place - 1] if place else 0.0), high, self.counts[place]

    def quantile(self, share: float) -> float | None:
        """Estimate, in seconds, the quantile for a share (0 to 1) of all durations; None without any.

        It has microseconds, and nothing below: it is an estimate.
        """
        wanted, passed = self.count * share, 0
        for place, count in enumerate(self.counts):
            if count and passed + count >= wanted:
                low = BOUNDS[place - 1] if place else 0.0
                high = BOUNDS[place] if place < len(BOUNDS) else low
                return round(low + (high - low) * max(0.0, wanted - passed) / count, DIGITS)
            passed += count
        return None


@dataclass
class Sums:
    """Sums over runs: `done`, `failed` and `put_off` are numbers. `seconds` is the time that their code took, `wait`
    the time that they waited after they were due. `took` and `latency` are histograms of their code's seconds, and of
    the seconds from due to done."""

    done: int = 0
    failed: int = 0
    put_off: int = 0
    seconds: float = 0.0
    wait: float = 0.0
    took: Histogram = field(default_factory=Histogram)
    latency: Histogram = field(default_factory=Histogram)

    @classmethod
    def of(cls, row: Row[Any]) -> "Sums":
        counts = row.done, row.failed, row.put_off, row.seconds, row.wait
        return cls(*counts, Histogram.of(row.took), Histogram.of(row.latency))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, attribute.name) + getattr(other, attribute.name) for attribute in fields(Sums)))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, attribute.name) - getattr(other, attribute.name) for attribute in fields(Sums)))

    @property
    def values(self) -> dict[str, Any]:
        return {**vars(self), "took": str(self.took), "latency": str(self.latency)}


@dataclass(frozen=True)
class RunRecord:
    """A run that failed, was put off, or was slow. `ended` is in UTC; `seconds` is the duration of its own code;
    `ticket` is the key of the ticket or match that started it, if any. `id` orders and identifies records; `run` is the
    run's own id."""

    run: str
    ticket: str | None
    work: str
    root_id: str | None
    source: SourceKind
    server: int
    ended: datetime
    seconds: float
    outcome: RecordedOutcome
    attempt: int
    error: str | None
    trace: str | None
    id: int = 0


SUMS = tuple(attribute.name for attribute in fields(Sums))

_PUT_MINUTE = text(
    f"INSERT INTO afterwork_minute (minute, server, work, source, {', '.join(SUMS)})"
    f" VALUES (:minute, :server, :work, :source, {', '.join(f':{name}' for name in SUMS)})"
    " ON CONFLICT (minute, server, work, source) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in SUMS)}"
).bindparams(bindparam("minute", type_=UtcDateTime()))

_BEGIN_TOTAL = text(
    f"INSERT INTO afterwork_total (work, source, {', '.join(SUMS)}) VALUES (:work, :source, 0, 0, 0, 0, 0, '', '')"
    " ON CONFLICT (work, source) DO NOTHING"
)


def since_minute(connection: Connection, since: datetime, work: str | None) -> list[tuple[datetime, HistoryKey, Sums]]:
    """Return the sums of all servers, by minute and key, oldest first. Reads those minutes and no others."""
    c = minutes.c
    wanted = select(minutes).where(c.minute >= since.replace(second=0, microsecond=0))
    if work is not None:
        wanted = wanted.where(c.work == work)
    by_place: dict[tuple[datetime, HistoryKey], Sums] = {}
    for row in connection.execute(wanted.order_by(c.minute, c.work, c.source)):
        place = row.minute, HistoryKey(row.work, row.source)
        by_place[place] = by_place.get(place, Sums()) + Sums.of(row)
    return [(minute, key, sums) for (minute, key), sums in by_place.items()]


def of_all_time(connection: Connection) -> dict[HistoryKey, Sums]:
    """Return the totals, by key. They never decrease."""
    rows = connection.execute(select(totals).order_by(totals.c.work, totals.c.source))
    return {HistoryKey(row.work, row.source): Sums.of(row) for row in rows}


NEWEST = 2_000
"""The number of the newest records whose works are named. Of each work, few are recorded in a minute."""


def works_with(connection: Connection, outcome: RecordedOutcome, most: int) -> list[str]:
    """Return the works of the newest records of an outcome, the newest first, at most so many."""
    c = runs.c
    newest = select(c.work).where(c.outcome == outcome).order_by(c.ended.desc(), c.id.desc()).limit(NEWEST)
    return list(dict.fromkeys(connection.execute(newest).scalars()))[:most]


def records(
    connection: Connection, wanted: Mapping[str, Any], since: datetime | None, before: int | None, most: int
) -> list[RunRecord]:
    """Return the newest records with the `wanted` values that ended since a time and precede a record."""
    c = runs.c
    columns = [c[attribute.name] for attribute in fields(RunRecord)]
    query = select(*columns).where(*(c[name] == value for name, value in wanted.items()))
    if since is not None:
        query = query.where(c.ended >= since)
    if before is not None:
        last = select(c.ended).where(c.id == before).scalar_subquery()
        query = query.where(tuple_(c.ended, c.id) < tuple_(last, before))
    return [RunRecord(*row) for row in connection.execute(query.order_by(c.ended.desc(), c.id.desc()).limit(most))]


def write(
    connection: Connection, server: int, sums: Mapping[Cell, Sums], records: Sequence[RunRecord]
) -> Mapping[Cell, Sums]:
    """Write a server's sums of some minutes so far, and records, in the open transaction.

    Only what was not written before is added to the totals, and returned. So if it is unknown whether an earlier
    transaction has committed, the same can be written again.
    """
    grown: Mapping[Cell, Sums] = {}
    if sums:
        grown = _grown(connection, server, sums)
        rows = [
            {"minute": cell.minute, "server": server, **cell.key._asdict(), **of_minute.values}
            for cell, of_minute in sums.items()
        ]
        connection.execute(_PUT_MINUTE, rows)
        _add_to_totals(connection, _by_key(grown))
    if records:
        rows = [
            {name: value for name, value in vars(record).items() if name != "id"}
            | {"error": storable_or_none(connection, record.error), "trace": storable_or_none(connection, record.trace)}
            for record in records
        ]
        connection.execute(insert(runs), [{**row, "server": server} for row in rows])
    return grown


def _grown(connection: Connection, server: int, sums: Mapping[Cell, Sums]) -> dict[Cell, Sums]:
    """Return by how much these sums exceed the written ones."""
    c = minutes.c
    mine = select(minutes).where(c.minute.in_({cell.minute for cell in sums}), c.server == server)
    before = {Cell(row.minute, HistoryKey(row.work, row.source)): Sums.of(row) for row in connection.execute(mine)}
    return {cell: minute_sums - before.get(cell, Sums()) for cell, minute_sums in sums.items()}


def _by_key(grown: Mapping[Cell, Sums]) -> dict[HistoryKey, Sums]:
    by_key: dict[HistoryKey, Sums] = {}
    for cell, sums in grown.items():
        by_key[cell.key] = by_key.get(cell.key, Sums()) + sums
    return by_key


def _add_to_totals(connection: Connection, grown: Mapping[HistoryKey, Sums]) -> None:
    c, keys = totals.c, sorted(grown)  # in one order, so that no two servers deadlock
    connection.execute(_BEGIN_TOTAL, [key._asdict() for key in keys])
    wanted = select(totals).where(tuple_(c.work, c.source).in_(keys)).order_by(c.work, c.source).with_for_update()
    before = {HistoryKey(row.work, row.source): Sums.of(row) for row in connection.execute(wanted)}
    own_row = (c.work == bindparam("of_work")) & (c.source == bindparam("of_source"))
    connection.execute(
        update(totals).where(own_row),
        [{"of_work": key.work, "of_source": key.source, **(before[key] + grown[key]).values} for key in keys],
    )


def has_expired(before: datetime) -> ColumnElement[bool]:
    """Return the condition that a row is older."""
    runs_before = select(runs.c.id).where(runs.c.ended < before)
    return runs_before.exists() | select(minutes.c.minute).where(minutes.c.minute < before).exists()


def prune(connection: Connection, before: datetime, most: int) -> int:
    """Delete up to about `most` older rows. Return how many; 0 says that none is left."""
    c = runs.c
    old = select(c.id).where(c.ended < before).order_by(c.ended).limit(most)
    count = connection.execute(delete(runs).where(c.id.in_(old))).rowcount
    oldest = connection.execute(select(func.min(minutes.c.minute))).scalar()
    if oldest is not None and oldest < before:
        until = min(before, oldest + timedelta(hours=1))
        count += connection.execute(delete(minutes).where(minutes.c.minute < until)).rowcount
    return count
