"""Readings of the shop's database, during the demo and at its end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from afterwork.store.caches.tables import due
from afterwork.store.journal.tables import journal, touch
from examples.shop import Customer, NumberSeries, Order, SysAsyncTicket, app
from examples.shop.bookkeeping import Bookkeeping
from examples.shop.demo.orders import standing
from examples.shop.demo.writers import Tally

SAMPLE = 500
"""The number of newest tickets from which the latency is calculated."""


@dataclass(frozen=True)
class Look:
    """A reading of the shop's state. Latencies are in milliseconds, from saved to done; None if nothing was done yet.

    `stale` counts stale values, `oldest` is the age of the first of them in milliseconds. `standing` has the number of
    orders in each state.
    """

    moment: float
    saved: Tally
    numbered: int
    p50: float | None
    p99: float | None
    stale: int
    oldest: float | None
    standing: Mapping[str, int] = field(default_factory=dict)

    @property
    def created(self) -> int:
        return self.saved.customers + self.saved.orders

    @property
    def waiting(self) -> int:
        return max(0, self.created - self.numbered)


NOTHING = Look(0.0, Tally(), 0, None, None, 0, None)


def look(engine: Engine, moment: float, saved: Tally) -> Look:
    """Read the current state, at about the same cost whatever the number of rows."""
    newest = select(SysAsyncTicket.created, SysAsyncTicket.done).order_by(SysAsyncTicket.id.desc()).limit(SAMPLE)
    with Session(engine) as session:
        numbered = session.scalar(select(func.sum(NumberSeries.last))) or 0
        took = [(done - saved).total_seconds() * 1000 for saved, done in session.execute(newest) if done is not None]
        stale, since = session.execute(select(func.count(due.c.since), func.min(due.c.since))).one()
    p50, p99 = (percentile(took, 0.50), percentile(took, 0.99)) if took else (None, None)
    oldest = None if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds() * 1000)
    return Look(moment, saved, numbered, p50, p99, stale, oldest, standing(engine))


def latencies(engine: Engine) -> list[float]:
    """Return the milliseconds from saved to done, of all tickets."""
    with Session(engine) as session:
        rows = session.execute(select(SysAsyncTicket.created, SysAsyncTicket.done))
        return [(done - saved).total_seconds() * 1000 for saved, done in rows if done is not None]


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of the values does not exceed. `values` must not be empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def pending(engine: Engine) -> int:
    """Count the pending tickets that are due now or within the next minute."""
    soon = SysAsyncTicket.execute_earliest.is_(None) | (SysAsyncTicket.execute_earliest < _in_a_minute())
    is_pending = SysAsyncTicket.done.is_(None) & SysAsyncTicket.error.is_(None) & soon
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(is_pending)) or 0


def unrested(engine: Engine) -> int:
    """Count the changes to be matched, and the caches that are stale or due within the next minute."""
    soon = due.c.since.is_not(None) | (due.c.due < _in_a_minute())
    dues = select(func.count()).select_from(due).where(soon)
    changes, touches = (select(func.count()).select_from(table).scalar_subquery() for table in (journal, touch))
    with Session(engine) as session:
        return session.scalar(select(dues.scalar_subquery() + changes + touches)) or 0


def _in_a_minute() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


def faults(engine: Engine) -> Iterator[str]:
    """Yield everything that is wrong: gaps, duplicates, tickets that have not ended or have failed."""
    with Session(engine) as session:
        for cls in (Customer, Order):
            count, distinct, first, last = session.execute(
                select(func.count(), func.count(cls.number.distinct()), func.min(cls.number), func.max(cls.number))
                .select_from(cls)
            ).one()  # fmt: skip
            if count and (distinct, first, last) != (count, 1, count):
                yield f"{cls.__name__}: {count:,} of them have {distinct:,} different numbers from {first} to {last}."
        errors = select(func.count()).where(SysAsyncTicket.error.is_not(None))
        if failed := session.scalar(errors):
            example = session.scalar(select(SysAsyncTicket.error).where(SysAsyncTicket.error.is_not(None)).limit(1))
            yield f"Tickets: {failed:,} have failed. One of them says: {example}"
    if left := pending(engine):
        yield f"Tickets: {left:,} have not ended."


def is_at_work(engine: Engine) -> bool:
    """Return whether tickets are waiting, something is stale, or an order is being sent."""
    return bool(app.insight(engine).status().running or pending(engine) or unrested(engine))


def untold(wanted: int, messenger: Bookkeeping) -> Iterator[str]:
    """Yield a line if customers were told more or less than they were to be told."""
    if (told := len(messenger.orders)) != wanted:
        yield f"Messages: customers were to get {wanted:,}, and got {told:,}."


def lost(engine: Engine, bookkeeping: Bookkeeping) -> Iterator[str]:
    """Yield orders that count as exported and were not booked, or were booked twice."""
    booked = [order["number"] for order in bookkeeping.orders.values()]
    with Session(engine) as session:
        exported = set(session.scalars(select(Order.number).where(Order.exported.is_not(None))))
    if missing := exported - set(booked):
        yield f"Orders that were exported and not booked: {len(missing):,}."
    if len(booked) > len(set(booked)):
        yield f"Orders that were booked twice: {len(booked) - len(set(booked)):,}."
