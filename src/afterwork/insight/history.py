"""What has run: sums of each minute, how long it took, and the runs that are worth a look."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from afterwork.events import TriggerKind
from afterwork.store import history
from afterwork.store.history import Histogram, Sums


@dataclass(frozen=True)
class Minute:
    """What the runs of one work that one kind of trigger started came to in one minute (UTC): how many were done,
    failed, and were put off; the seconds that they took, and that they waited from when they were due."""

    minute: datetime
    work: str
    trigger: TriggerKind
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
class Total:
    """What the runs of one work by one kind of trigger have come to since the beginning. Never goes down."""

    work: str
    trigger: TriggerKind
    sums: Sums


def throughput(connection: Connection, since: datetime, work: str | None) -> list[Minute]:
    """The minutes in which something ended, oldest first."""
    return [
        Minute(minute, *key, one.done, one.failed, one.put_off, one.seconds, one.wait)
        for minute, key, one in history.since_minute(connection, since, work)
    ]


def latency(connection: Connection, since: datetime, work: str | None) -> Latency:
    """How long it took from due to done."""
    found = sum((one.latency for _, _, one in history.since_minute(connection, since, work)), Histogram())
    return Latency(found.count, found.quantile(0.5), found.quantile(0.99))


def totals(connection: Connection) -> list[Total]:
    """What there has been since the beginning."""
    return [Total(*key, sums) for key, sums in history.of_all_time(connection).items()]
