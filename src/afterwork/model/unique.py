"""One pending ticket for each root and work, however many ask at once.

A ticket that has begun is none to join: its run may have read the data before this transaction changed it. So a pending
ticket is joined only by locking its row, which keeps it from beginning before this transaction has ended.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, column, exists, func, or_, select, table, update
from sqlalchemy.orm import Session, undefer

from afterwork.model.accounted import ACCOUNTED
from afterwork.model.contract import Contract
from afterwork.model.key import key_as_text
from afterwork.model.lenient_types import in_calendar

LEASE = table("afterwork_lease", column("ticket"))
"""Where tickets stand that have begun outside of a transaction. `store/tables.py` declares it in full."""


def is_pending(contract: Contract) -> ColumnElement[bool]:
    """A ticket is pending while Done and Error are null."""
    return contract.done.column.is_(None) & contract.error.column.is_(None)


def has_begun(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an outside run holds the ticket with this key."""
    return exists().where(LEASE.c.ticket == key_as_text(key))


def pending_ticket(session: Session, contract: Contract, work: str, root_id: str) -> Any | None:
    """The pending ticket of a root and work that has not begun, locked until this transaction ends; or None.

    Until it ends, no other transaction gets an answer for the same root and work.
    """
    same = (contract.root_id.column == root_id) & (contract.view_model.column == work) & is_pending(contract)
    _wait_for_others(session, contract, same, f"{root_id} {work}")
    wanted = (
        select(contract.mapper.class_)
        .where(same, ~has_begun(contract.key.column), *_can_be_read(session, contract))
        .order_by(contract.key.column)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True, **{ACCOUNTED: True})
    )
    if contract.not_after is not None:
        wanted = wanted.options(undefer(getattr(contract.mapper.class_, contract.not_after.name)))
    return session.scalars(wanted).first()


def _can_be_read(session: Session, contract: Contract) -> Iterator[ColumnElement[bool]]:
    """Give the conditions under which a ticket can be loaded as an object. Others are none to join."""
    dialect = session.get_bind(contract.mapper).dialect.name
    for attribute in (contract.execute_earliest, contract.created, contract.delete_time, contract.not_after):
        if attribute is not None:
            yield or_(attribute.column.is_(None), in_calendar(attribute.column, dialect))


def _wait_for_others(session: Session, contract: Contract, same: ColumnElement[bool], name: str) -> None:
    if session.get_bind(contract.mapper).dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)), execution_options={ACCOUNTED: True})
    else:
        # SQLite has one lock for all writers, and a transaction gets it by writing.
        root_id = contract.root_id.column
        session.execute(
            update(contract.table).where(same).values({root_id: root_id}), execution_options={ACCOUNTED: True}
        )
