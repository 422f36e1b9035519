"""Check that tickets claimed together are unchanged, and still the first of their lane."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, and_, bindparam, func, literal_column, or_, select, true

from afterwork.store.tickets.columns import TicketColumns
from afterwork.store.tickets.rows import TicketRow
from afterwork.store.tickets.statements import Tickets

OTHER = "other_ticket"


def are_as_claimed(
    tickets: Tickets, connection: Connection, rows: Sequence[TicketRow], now: datetime, lane: str
) -> bool:
    """Return whether a lane's first tickets are these unchanged ones, in order. They have one priority."""
    keys, priority = [row.key for row in rows], rows[0].priority
    if tickets.rows(connection, keys, now, lane, priority) != [*rows]:
        return False
    return not _are_overtaken(tickets, connection, keys, now, lane, priority)


def _are_overtaken(
    tickets: Tickets, connection: Connection, keys: Sequence[Any], now: datetime, lane: str, priority: int
) -> bool:
    """Return whether this transaction has put another ticket in front of the last of these."""
    table = tickets.contract.table
    names = (OTHER, "one_ticket")
    other, claimed = (TicketColumns(tickets.contract, table.alias(name), tickets.dialect) for name in names)
    among: Any = bindparam("keys", keys, expanding=True)
    last = select(func.max(claimed.moment)).where(claimed.key.in_(among)).scalar_subquery()
    overtaking = select(other.key).where(
        other.pending,
        other.lane == lane,
        or_(other.priority < priority, and_(other.priority == priority, other.moment < last)),
        other.key.not_in(among),
        other.is_due_at(bindparam("at", tickets.moment(now), type_=other.earliest.type)),
        _is_own(tickets.dialect),
    )
    return connection.execute(overtaking.limit(1)).first() is not None


def _is_own(dialect: str) -> ColumnElement[bool]:
    """Return the condition that this transaction has written a row, as opposed to others' commits since. On SQLite
    nobody else writes meanwhile."""
    if dialect == "sqlite":
        return true()
    return literal_column(f"{OTHER}.xmin = CAST(pg_current_xact_id() AS xid)", Boolean())
