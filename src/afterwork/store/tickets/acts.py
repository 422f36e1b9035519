"""Manual acts on tickets, in the open transaction. Nothing here waits for a ticket that somebody else has locked."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Update, select, update

from afterwork.model.contract import receipt_minutes
from afterwork.model.key import key_text
from afterwork.store import progress
from afterwork.store.tickets.columns import has_begun
from afterwork.store.tickets.statements import Tickets


def lock(connection: Connection, tickets: Tickets, keys: Collection[Any]) -> Sequence[Row[Any]]:
    """Lock those of some tickets that nobody else has locked, and return the columns that determine their state."""
    c = tickets.columns
    wanted = select(
        c.key.label("key"), c.done_read.label("done"), c.error.label("error"), c.earliest_read.label("earliest")
    )
    begun = has_begun(c.key).label("has_begun")
    locked = wanted.add_columns(begun).where(c.key.in_(keys)).order_by(c.key)
    return connection.execute(locked.with_for_update(of=tickets.contract.table, skip_locked=True)).all()


def existing(connection: Connection, tickets: Tickets, keys: Collection[Any]) -> set[Any]:
    """Return those of some keys that belong to tickets."""
    return set(connection.execute(select(tickets.columns.key).where(tickets.columns.key.in_(keys))).scalars())


def retry(connection: Connection, tickets: Tickets, keys: Collection[Any]) -> None:
    """Reset tickets to run as soon as possible, with all their attempts left, as if they had never run. They no longer
    expire."""
    contract = tickets.contract
    cleared = (contract.done, contract.delete_time, contract.error, contract.execute_earliest, contract.not_after)
    values: dict[Any, Any] = {attribute.column: None for attribute in cleared if attribute is not None}
    if contract.attempts is not None:
        values[contract.attempts.column] = 0
    connection.execute(_of(tickets, keys).values(values))
    tickets.flows.let_run(connection, keys)
    progress.let_go_on(connection, [key_text(key) for key in keys])


def run_now(connection: Connection, tickets: Tickets, keys: Collection[Any]) -> None:
    """Let scheduled tickets, and those that wait for others, run as soon as possible."""
    connection.execute(_of(tickets, keys).values({tickets.contract.execute_earliest.column: None}))
    tickets.flows.let_run(connection, keys)


def cancel(connection: Connection, tickets: Tickets, keys: Collection[Any], error: str, now: datetime) -> None:
    """End tickets that have not begun, with an error. Their receipts stay for as long as each requests.

    Those that wait for them are cancelled, too, unless they were told otherwise."""
    c, contract = tickets.columns, tickets.contract
    keep_durations = select(c.keep_minutes).where(c.key.in_(keys)).distinct()
    for keep in connection.execute(keep_durations).scalars().all():
        until = now + timedelta(minutes=receipt_minutes(keep))
        ended = {contract.done: now, contract.delete_time: until}
        values: dict[Any, Any] = {attribute.column: tickets.moment(timestamp) for attribute, timestamp in ended.items()}
        alike = _of(tickets, keys).where(c.keep_minutes.is_not_distinct_from(keep))
        connection.execute(alike.values({**values, contract.error.column: error}))
    tickets.flows.decide(connection, {key_text(key): "failed" for key in keys}, now)


def ask_to_stop(connection: Connection, keys: Collection[Any], now: datetime) -> None:
    progress.ask_these_to_stop(connection, [key_text(key) for key in keys], now)


def _of(tickets: Tickets, keys: Collection[Any]) -> Update:
    return update(tickets.contract.table).where(tickets.columns.key.in_(keys))
