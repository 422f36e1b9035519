"""The history of runs by minutes, or by hours: what has run, summed up in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, delete, func, select, tuple_

from afterwork.store.history import SUMS, Cell, Histogram, Sums
from afterwork.store.tables import hour as hours
from afterwork.store.tables import minute as minutes
from afterwork.store.upsert import insert_into

COUNTS = ("done", "failed", "put_off", "seconds", "wait")
"""The sums that the database can add up. Histograms are added up here."""


@dataclass(frozen=True)
class Periods:
    """A table of sums for periods of one length. `at` has the beginning of each."""

    table: Table
    at: Column[datetime]
    length: timedelta

    def totals(
        self,
        connection: Connection,
        since: datetime,
        where: Sequence[ColumnElement[bool]],
        by: Sequence[str],
        most: int,
    ) -> Sequence[Row[Any]]:
        """Return the sums of `COUNTS` since a time by some columns, or by "at". Those with most runs come first."""
        c = self.table.c
        columns = [self.at.label("at") if name == "at" else c[name] for name in by]
        sums = [func.sum(c[name]).label(name) for name in COUNTS]
        query = select(*columns, *sums).where(self.at >= since, *where).group_by(*columns)
        ended = func.sum(c.done + c.failed + c.put_off)
        return connection.execute(query.order_by(ended.desc(), *columns).limit(most)).all()

    def histograms(
        self, connection: Connection, since: datetime, where: Sequence[ColumnElement[bool]]
    ) -> tuple[Histogram, Histogram]:
        """Return the histograms of seconds of code, and of seconds from due to done, since a time."""
        c, took, latency = self.table.c, Histogram(), Histogram()
        for row in connection.execute(select(c.took, c.latency).where(self.at >= since, *where)):
            took, latency = took + Histogram.of(row.took), latency + Histogram.of(row.latency)
        return took, latency


MINUTES = Periods(minutes, minutes.c.minute, timedelta(minutes=1))
HOURS = Periods(hours, hours.c.hour, timedelta(hours=1))


def add_to_hours(connection: Connection, server: int, grown: Mapping[Cell, Sums]) -> None:
    """Add what a server's minutes have grown by to its hours, in the open transaction. Nobody else writes these."""
    added: dict[tuple[str, datetime, str], Sums] = {}
    for cell, sums in grown.items():
        place = cell.key.work, cell.minute.replace(minute=0), cell.key.source
        added[place] = added.get(place, Sums()) + sums
    if not added:
        return
    c = hours.c
    mine = select(hours).where(tuple_(c.work, c.hour, c.source).in_(list(added)), c.server == server)
    before = {(row.work, row.hour, row.source): Sums.of(row) for row in connection.execute(mine)}
    put = insert_into(connection.dialect.name, hours)
    put = put.on_conflict_do_update(
        index_elements=list(hours.primary_key), set_={name: put.excluded[name] for name in SUMS}
    )
    rows = [
        {"work": work, "hour": at, "source": source, "server": server, **(before.get(place, Sums()) + sums).values}
        for place, sums in added.items()
        for work, at, source in [place]
    ]
    connection.execute(put, rows)


def have_expired(before: datetime) -> ColumnElement[bool]:
    """Return the condition that hours have ended before a time."""
    return select(hours.c.hour).where(hours.c.hour < before - HOURS.length).exists()


def prune_hours(connection: Connection, before: datetime) -> int:
    """Delete the hours that have ended before a time, a day of them at most. Return how many rows that were."""
    c, end = hours.c, before - HOURS.length
    oldest = connection.execute(select(func.min(c.hour))).scalar()
    if oldest is None or oldest >= end:
        return 0
    return connection.execute(delete(hours).where(c.hour < min(end, oldest + timedelta(days=1)))).rowcount
