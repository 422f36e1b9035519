"""Locks on SQLite, which has one for all writers: a transaction gets it by writing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Executable, update

from afterwork.store.locking import Locks
from afterwork.store.untracked_statements import OWN


class SQLiteLocks(Locks):
    def lock_row(self, connection: Connection, column: Column[Any], same: Sequence[ColumnElement[bool]]) -> bool:
        touched = update(column.table).where(*same).values({column: column})
        return bool(connection.execute(touched, execution_options=OWN).rowcount)

    def lock_name(self, name: str, column: Column[Any], same: ColumnElement[bool]) -> Executable:
        return update(column.table).where(same).values({column: column})
