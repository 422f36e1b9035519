"""One pending ticket for each root and work, however many transactions ask at once.

A run that has begun may have read the data before this transaction changed it. So a pending ticket is joined only by
locking its row, which keeps it from beginning before this transaction has ended.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session, undefer

from afterwork.model.contract import Contract
from afterwork.store.readable_values import in_calendar
from afterwork.store.tickets.pending import has_begun, is_pending
from afterwork.store.untracked_statements import OWN


def pending_ticket(session: Session, contract: Contract, work: str, root_id: str) -> Any | None:
    """Lock and return the pending ticket of a root and work that has not begun; None without one.

    Until this transaction ends, no other one gets an answer for the same root and work.
    """
    same = (contract.root_id.column == root_id) & (contract.view_model.column == work) & is_pending(contract)
    _wait_for_others(session, contract, same, f"{root_id} {work}")
    query = (
        select(contract.mapper.class_)
        .where(same, ~has_begun(contract.key.column), *_is_readable(session, contract))
        .order_by(contract.key.column)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True, **OWN)
    )
    if contract.not_after is not None:
        query = query.options(undefer(getattr(contract.mapper.class_, contract.not_after.name)))
    return session.scalars(query).first()


def _is_readable(session: Session, contract: Contract) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions under which a ticket can be loaded as an object. No other ticket is joined."""
    dialect = session.get_bind(contract.mapper).dialect.name
    for attribute in (contract.execute_earliest, contract.created, contract.delete_time, contract.not_after):
        if attribute is not None:
            yield or_(attribute.column.is_(None), in_calendar(attribute.column, dialect))


def _wait_for_others(session: Session, contract: Contract, same: ColumnElement[bool], name: str) -> None:
    if session.get_bind(contract.mapper).dialect.name == "postgresql":
        lock = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        session.execute(select(func.pg_advisory_xact_lock(lock)), execution_options=OWN)
    else:
        # SQLite has one lock for all writers, and a transaction gets it by writing.
        root_id = contract.root_id.column
        session.execute(update(contract.table).where(same).values({root_id: root_id}), execution_options=OWN)
