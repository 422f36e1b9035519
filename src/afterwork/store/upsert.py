"""Inserts that may conflict with an existing row."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: Table) -> Any:
    """Return an insert that takes `on_conflict_do_update` and `on_conflict_do_nothing`, which both databases know."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
