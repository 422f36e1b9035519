"""Locks on PostgreSQL."""

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Executable, func, select

from afterwork.store.locking import Locks
from afterwork.store.untracked_statements import OWN


class PostgreSQLLocks(Locks):
    def lock_row(self, connection: Connection, column: Column[Any], same: Sequence[ColumnElement[bool]]) -> bool:
        # As strong as an update's lock, so those who save rows that refer to this one need not wait.
        locked = select(1).where(*same).with_for_update(key_share=True)
        return connection.execute(locked, execution_options=OWN).first() is not None

    def lock_name(self, name: str, column: Column[Any], same: ColumnElement[bool]) -> Executable:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        return select(func.pg_advisory_xact_lock(number))
