"""The ends of tickets, as those who wait for them read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, select

from afterwork.store.direct_statement import DirectStatement
from afterwork.store.key_lists import padded
from afterwork.store.readable_values import reading_any_text
from afterwork.store.tickets.ticket_table import TicketTable


@dataclass(frozen=True)
class TicketEnd:
    """The end of a ticket: the name of its work, its Error if it has not ended well, and its result as JSON."""

    work: str | None
    error: str | None
    result: str | None


class EndsOfTickets(TicketTable):
    """Reads whether tickets have ended, and how."""

    @cached_property
    def _ends(self) -> DirectStatement:
        c = self.columns
        of_ticket = select(c.key, c.pending, c.work, c.error, c.result)
        return DirectStatement(of_ticket.where(self._is_among(many=True)))

    def ends(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, TicketEnd | None]:
        """Return the ends of the tickets with these keys, None for pending ones. Those that are gone are left out."""
        with reading_any_text(connection):
            rows = self._ends.execute(connection, {"afterwork_which": padded(keys)})
        return {key: None if pending else TicketEnd(*end) for key, pending, *end in rows}
