"""What has run: sums of each minute, how long it took, and the runs that are worth a look."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from afterwork.events import TriggerKind
from afterwork.store import history, schema
from afterwork.store.database import Database
from afterwork.store.history import Histogram, RunOutcome, RunRecord, Sums


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


class Past:
    """The part of `Insight` that tells what has run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def throughput(self, since: datetime, work: str | None = None) -> list[Minute]:
        """What ended in each minute since a moment, oldest first, by work and kind of trigger; of one work or of all.
        Servers write it every few seconds."""
        with self._installed() as connection:
            return [
                Minute(minute, *key, one.done, one.failed, one.put_off, one.seconds, one.wait)
                for minute, key, one in history.since_minute(connection, since, work)
            ]

    def latency(self, since: datetime, work: str | None = None) -> Latency:
        """How long it took from due to done since a moment, of one work or of all."""
        with self._installed() as connection:
            found = sum((one.latency for _, _, one in history.since_minute(connection, since, work)), Histogram())
        return Latency(found.count, found.quantile(0.5), found.quantile(0.99))

    def totals(self) -> Sequence[Total]:
        """What the runs of each work have come to since the beginning. These never go down."""
        with self._installed() as connection:
            return [Total(*key, sums) for key, sums in history.of_all_time(connection).items()]

    def failures(self, since: datetime, most: int = 20) -> list[RunRecord]:
        """The newest runs that failed since a moment."""
        with self._installed() as connection:
            return history.records(connection, {"outcome": "failed"}, since, None, most)

    def runs(
        self,
        *,
        work: str | None = None,
        ticket: str | None = None,
        root: str | None = None,
        outcome: RunOutcome | None = None,
        most: int = 20,
        before: int | None = None,
    ) -> list[RunRecord]:
        """The newest runs that failed, were put off, or were slow. `before` is the `id` of the last one of the page
        before; `ticket` is the key of a ticket or hit, `root` an external id."""
        asked = {"work": work, "ticket": ticket, "root_id": root, "outcome": outcome}
        with self._installed() as connection:
            wanted = {name: value for name, value in asked.items() if value is not None}
            return history.records(connection, wanted, None, before, most)

    @contextmanager
    def _installed(self) -> Iterator[Connection]:
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            yield connection
