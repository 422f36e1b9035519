"""The rows of tickets as runs read and leave them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.end_forms import AS_ASKED, EndForm


@dataclass(frozen=True)
class ClaimRequest:
    """The tickets that a transaction wants: up to `limit` of those in a lane that are due at `now`.

    Without a priority, that of the lane's first ticket counts, whether that is due or not.
    """

    lane: str
    priority: int | None
    now: datetime
    limit: int


@dataclass(frozen=True)
class DueGroup:
    """The pending tickets of one lane and priority, by the first one's key and ExecuteEarliest."""

    key: Any
    lane: str
    priority: int
    earliest: datetime | None


@dataclass(frozen=True)
class TicketRow:
    """The columns of a ticket that a run needs. `created` is a text that tells apart tickets whose key was reused."""

    key: Any
    work: str | None
    root_id: str | None
    keep_minutes: object
    attempts: int
    created: str | None
    lane: str | None
    execute_earliest: datetime | None
    created_at: datetime | None
    priority: int
    trace_parent: str | None
    arguments: object
    not_after: datetime | None
    odd_earliest: str | None
    """The content of ExecuteEarliest, if it is no timestamp."""

    @classmethod
    def of(cls, row: Sequence[Any]) -> "TicketRow":
        ticket = cls(*row)
        # On SQLite, a program may have written something other than a number there.
        return ticket if isinstance(ticket.attempts, int) else replace(ticket, attempts=0)

    @property
    def due(self) -> datetime | None:
        """Return the time from which it could have run."""
        return max(filter(None, map(aware, (self.execute_earliest, self.created_at))), default=None)


@dataclass(frozen=True)
class EndedTicket:
    """The end of a ticket. `error` is None if it ended well."""

    row: TicketRow
    keep_minutes: int
    error: str | None
    form: EndForm = AS_ASKED
    result: str | None = None
    """The value that its work has returned, as JSON; None to keep nothing."""
