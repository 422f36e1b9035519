"""Past runs: sums of each minute, their latency, and the runs that are recorded one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from afterwork.events import SourceKind
from afterwork.store import history
from afterwork.store.history import Histogram, Sums


@dataclass(frozen=True)
class RunMinute:
    """The runs of one work from one kind of source that ended in one minute (UTC).

    Counts those that were done, failed and were put off; `seconds` is their total duration, `wait` the total time from
    due to begin.
    """

    minute: datetime
    work: str
    source: SourceKind
    done: int
    failed: int
    put_off: int
    seconds: float
    wait: float


@dataclass(frozen=True)
class Latency:
    """Seconds from due to done, of successful runs whose due time is known: the 50th and 99th percentiles.

    Both are None if there are no such runs.
    """

    count: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class RunTotal:
    """The sums of all runs ever of one work from one kind of source. They never decrease."""

    work: str
    source: SourceKind
    sums: Sums


@dataclass(frozen=True)
class PastRuns:
    """Runs since a time: the minutes in which some ended, oldest first, and their latency."""

    minutes: Sequence[RunMinute]
    latency: Latency


def past(connection: Connection, since: datetime, work: str | None) -> PastRuns:
    """Return the runs since a time, of one work or of all."""
    rows = history.since_minute(connection, since, work)
    minutes = [
        RunMinute(minute, *key, sums.done, sums.failed, sums.put_off, sums.seconds, sums.wait)
        for minute, key, sums in rows
    ]
    took = sum((sums.latency for _, _, sums in rows), Histogram())
    return PastRuns(minutes, Latency(took.count, took.quantile(0.5), took.quantile(0.99)))


def totals(connection: Connection) -> list[RunTotal]:
    return [RunTotal(*key, sums) for key, sums in history.of_all_time(connection).items()]
