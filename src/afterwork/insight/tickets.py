"""What can be read of tickets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from afterwork.model.contract import Attribute, Contract
from afterwork.model.key import key_text
from afterwork.model.lane import MAIN
from afterwork.store import progress, schema, tables
from afterwork.store.progress import Said
from afterwork.store.tickets import Columns, aware

State = Literal["pending", "failed", "done"]


@dataclass(frozen=True)
class TicketView:
    """A ticket as it is shown. Moments are in UTC. `said` is how far its run says to be by `aw.progress`, while it goes
    on."""

    key: str
    state: State
    work: str | None
    root_id: str | None
    lane: str
    priority: int | None
    execute_earliest: datetime | None
    done: datetime | None
    attempts: int
    error: str | None
    said: Said | None = None


def newest(
    connection: Connection, contract: Contract, columns: Columns, state: State | None, most: int
) -> Sequence[TicketView]:
    """The newest tickets, all or those in one state."""
    wanted = select(contract.table).order_by(columns.key.desc()).limit(most)
    match state:
        case "pending":
            wanted = wanted.where(columns.pending)
        case "failed":
            wanted = wanted.where(contract.error.column.is_not(None))
        case "done":
            wanted = wanted.where(contract.done.column.is_not(None), contract.error.column.is_(None))
        case None:
            pass
    rows = connection.execute(wanted).all()
    names = [key_text(row._mapping[contract.key.column]) for row in rows]
    # Tickets can be seen without Afterwork's tables, too.
    installed = schema.version(connection) == tables.SCHEMA_VERSION
    said = progress.of_tickets(connection, names) if installed else {}
    return [replace(view(contract, row), said=said.get(name)) for row, name in zip(rows, names, strict=True)]


def view(contract: Contract, row: Row[Any]) -> TicketView:
    """A row of the ticket table, as it is shown."""

    def of(attribute: Attribute | None) -> Any:
        value = None if attribute is None else row._mapping[attribute.column]
        return aware(value) if isinstance(value, datetime) else value

    state: State = "failed" if of(contract.error) else "done" if of(contract.done) else "pending"
    return TicketView(
        key=str(of(contract.key)),
        state=state,
        work=of(contract.view_model),
        root_id=of(contract.root_id),
        lane=of(contract.lane) or MAIN,
        priority=of(contract.priority),
        execute_earliest=of(contract.execute_earliest),
        done=of(contract.done),
        attempts=of(contract.attempts) or 0,
        error=of(contract.error),
    )
