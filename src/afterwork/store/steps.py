"""The steps of external runs that were done, by the id of the run."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from afterwork.store.tables import step as steps


@dataclass(frozen=True)
class KeptStep:
    """A step that a run has done, for a ticket or match with this key, and its result as JSON.

    One that `is_open` has no secret in its result.
    """

    run: uuid.UUID
    ticket: str
    name: str
    result: str
    at: datetime
    is_open: bool


def kept(connection: Connection, run: uuid.UUID) -> Mapping[str, str]:
    """Return the results of a run's steps, as JSON, by name."""
    of_run = select(steps.c.name, steps.c.result).where(steps.c.run == str(run))
    return {row.name: row.result for row in connection.execute(of_run)}


def of_ticket(connection: Connection, ticket: str, most: int) -> Sequence[KeptStep]:
    """Return the steps that were done for a ticket or match, oldest first, at most so many."""
    c = steps.c
    query = select(c.run, c.ticket, c.name, c.result, c.at, c.is_open).where(c.ticket == ticket)
    rows = connection.execute(query.order_by(c.at, c.name).limit(most))
    return [KeptStep(uuid.UUID(row.run), *row[1:]) for row in rows]


def keep(connection: Connection, done: Sequence[KeptStep]) -> None:
    """Keep the results of steps. Raises `IntegrityError` if one was done elsewhere."""
    connection.execute(insert(steps), [{**asdict(each), "run": str(each.run)} for each in done])


def forget(connection: Connection, tickets: Collection[str]) -> None:
    """Forget the steps of tickets or matches that are gone, by the texts of their keys."""
    if connection.execute(select(steps.c.run).limit(1)).first() is not None:
        connection.execute(delete(steps).where(steps.c.ticket.in_(tickets)))
