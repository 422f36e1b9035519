"""A plain connection of the database's own driver, as another program would have it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


class Raw:
    """Connect so that each statement is a transaction of its own."""

    def __init__(self, database: str) -> None:
        self.connection: Any
        self.is_sqlite = not database.startswith("postgresql")
        if self.is_sqlite:
            self.connection = sqlite3.connect(database, timeout=30, isolation_level=None)
            self.connection.execute("PRAGMA synchronous = FULL")
        else:
            self.connection = psycopg.connect(database, autocommit=True)

    def __call__(self, statement: str, *parameters: object) -> list[Any]:
        found = self.connection.execute(statement.replace("%s", "?") if self.is_sqlite else statement, parameters)
        return list(found.fetchall()) if found.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all statements of the block at its end."""
        self("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        yield
        self("COMMIT")


CHANGE = "UPDATE line SET quantity = %s WHERE id = %s"
BULK = "UPDATE line SET quantity = quantity + 1 WHERE mod(id, %s) = 0"
TOTAL = "SELECT total FROM customer WHERE id = %s"
SUM = "SELECT sum(l.quantity * l.price) FROM line l JOIN customer_order o ON o.id = l.order_id WHERE o.customer_id = %s"


def sqlalchemy_url(database: str) -> str:
    if database.startswith("postgresql://"):
        return database.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{database}"
