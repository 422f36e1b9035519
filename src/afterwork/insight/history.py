"""What has run: sums of each minute, how long it took, and the runs that are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from afterwork.events import SourceKind
from afterwork.store import history
from afterwork.store.history import Histogram, Sums


@dataclass(frozen=True)
class RunMinute:
    """What the runs of one work that one kind of trigger started came to in one minute (UTC): how many were done,
    failed, and were put off; the seconds that they took, and that they waited from when they were due."""

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
    """Seconds from due to done, of those runs that went well and of which it is known when they were due: the half of
    them took no longer than `p50`, 99 of 100 no longer than `p99`. None if there are no such runs."""

    count: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class RunTotal:
    """What the runs of one work by one kind of trigger have come to since the beginning. Never goes down."""

    work: str
    source: SourceKind
    sums: Sums


@dataclass(frozen=True)
class RunHistory:
    """What has run since a moment: the minutes in which something ended, oldest first, and how long it took."""

    minutes: Sequence[RunMinute]
    latency: Latency


def past(connection: Connection, since: datetime, work: str | None) -> RunHistory:
    """What has run since a moment, of one work or of all."""
    rows = history.since_minute(connection, since, work)
    minutes = [
        RunMinute(minute, *key, one.done, one.failed, one.put_off, one.seconds, one.wait) for minute, key, one in rows
    ]
    took = sum((one.latency for _, _, one in rows), Histogram())
    return RunHistory(minutes, Latency(took.count, took.quantile(0.5), took.quantile(0.99)))


def totals(connection: Connection) -> list[RunTotal]:
    """What there has been since the beginning."""
    return [RunTotal(*key, sums) for key, sums in history.of_all_time(connection).items()]
