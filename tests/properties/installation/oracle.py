"""What must be in each calculated column, made of plain rows. It shares nothing with the library."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from tests.properties.installation.layout import Layout

Value = tuple[str, int]
"""A calculated column of a row: `("total", 1)`."""


def wrong_values(connection: Connection, layout: Layout, columns: frozenset[str]) -> dict[Value, tuple[Any, Any]]:
    """What is stored in these columns and what would be right, where these differ."""
    right = dict(_right(connection, layout))
    stored = dict(_stored(connection, layout))
    return {
        (column, key): (stored[column, key], value)
        for (column, key), value in right.items()
        if column in columns and stored[column, key] != value
    }


def _right(connection: Connection, layout: Layout) -> Iterator[tuple[Value, Any]]:
    orders = _orders(connection, layout)
    customers = {row.id: row.name for row in connection.execute(text(f"SELECT id, name FROM {layout.customers}"))}
    for key, name in customers.items():
        mine = [row for row in orders if row["customer_id"] == key]
        total = " ".join(f"{row['id']}:{row[layout.amount]}" for row in mine)
        yield ("total", key), total
        yield ("label", key), f"{name} {total}"
        yield ("count", key), len(mine)
        yield ("sum", key), sum(row[layout.amount] for row in mine)
        if layout.has_note:
            yield ("notes", key), " ".join(f"{row['id']}:{row['note']}" for row in mine)
    for bill in connection.execute(text("SELECT id, customer_id FROM bill")).all():
        due = [row for row in orders if row["customer_id"] == bill.customer_id and row[layout.amount] > 3]
        yield ("due", bill.id), " ".join(f"{row['id']}:{row[layout.amount]}" for row in due)
        yield ("who", bill.id), customers.get(bill.customer_id, "nobody")


def _stored(connection: Connection, layout: Layout) -> Iterator[tuple[Value, Any]]:
    for table, columns in ((layout.customers, ("total", "label", "notes", "count", "sum")), ("bill", ("due", "who"))):
        for row in connection.execute(text(f"SELECT * FROM {table}")).mappings():
            for column in columns:
                yield (column, row["id"]), row[column]


def _orders(connection: Connection, layout: Layout) -> list[dict[str, Any]]:
    found = connection.execute(text(f"SELECT {', '.join(layout.columns)} FROM {layout.orders} ORDER BY id")).mappings()
    return [dict(row) for row in found]
