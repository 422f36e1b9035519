"""Determine which rows a role could lock, without waiting for anybody."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.exc import OperationalError


def lockable(connection: Connection, key: ColumnElement[Any], keys: Collection[Any]) -> set[Any] | None:
    """Return the keys whose rows this role may lock, on PostgreSQL and within a transaction. Return None if others have
    locked some."""
    if not keys:
        return set()
    rows = select(key).where(key.in_(keys)).with_for_update(key_share=True, read=True, nowait=True)
    connection.exec_driver_sql("SAVEPOINT afterwork_lockable")
    try:
        locked = set(connection.execute(rows).scalars())
    except OperationalError:  # not available
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT afterwork_lockable")
        return None
    connection.exec_driver_sql("RELEASE SAVEPOINT afterwork_lockable")
    return locked
