"""Conditions on tickets that wait for their turn, for the statements of servers and sessions."""

from typing import Any

from sqlalchemy import ColumnElement, exists

from afterwork.model.contract import Contract
from afterwork.model.key import key_as_text
from afterwork.store import tables


def is_pending(contract: Contract) -> ColumnElement[bool]:
    """Return the condition that a ticket is pending: its Done and Error are null."""
    return contract.done.column.is_(None) & contract.error.column.is_(None)


def has_begun(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a lease holds the ticket with this key."""
    return exists().where(tables.lease.c.ticket == key_as_text(key)).correlate_except(tables.lease)
