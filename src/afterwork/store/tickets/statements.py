"""All statements on the ticket table. Each is built once; none costs more because many tickets have ended."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement

from afterwork.model.contract import Contract
from afterwork.store.tickets.claiming import ClaimableTickets
from afterwork.store.tickets.columns import TicketColumns
from afterwork.store.tickets.ending import EndingTickets


class Tickets(ClaimableTickets, EndingTickets):
    """The statements on one ticket class for one kind of database: looking, claiming and ending."""


class TicketsBut(Tickets):
    """The statements on all tickets except those of some jobs, by the names in their rows, and some keys."""

    def __init__(self, contract: Contract, dialect: str, works: Collection[str], keys: Collection[Any] = ()) -> None:
        super().__init__(contract, dialect)
        self._works, self._keys = sorted(works), keys

    def _waiting(self, c: TicketColumns) -> ColumnElement[bool]:
        waiting = super()._waiting(c)
        if self._works:
            waiting &= c.work.is_(None) | c.work.not_in(self._works)
        return waiting & c.key.not_in(self._keys) if self._keys else waiting


@lru_cache(maxsize=64)
def tickets_of(contract: Contract, dialect: str) -> Tickets:
    """Return the statements on a ticket class, cached: building them takes longer than executing them."""
    return Tickets(contract, dialect)
