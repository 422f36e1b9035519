"""What users and other programs write, as single acts on a connection with an open transaction.

An act takes a layout and three small numbers, which say to what it is done; where there is nothing of the kind, it does
nothing.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from tests.properties.installation.layout import Layout
from tests.properties.installation.releases import Release

Act = Callable[[Connection, Layout, int, int, int], None]

ACTS: dict[str, Act] = {}


def act(name: str) -> Callable[[Act], Act]:
    """Note an act under its name."""

    def note(written: Act) -> Act:
        ACTS[name] = written
        return written

    return note


def run(connection: Connection, statement: str, **values: Any) -> None:
    """Execute a statement with those of the values that it names."""
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    connection.execute(text(statement), used)


def _sql(name: str, statement: str) -> None:
    @act(name)
    def do(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
        if "{note}" in statement and not layout.has_note:
            return
        names = {"customers": layout.customers, "orders": layout.orders, "amount": layout.amount, "note": "note"}
        run(connection, statement.format(**names), a=a, b=b, c=c)


_sql("insert a customer", "INSERT INTO {customers} (id, name) VALUES (:a, 'c') ON CONFLICT DO NOTHING")
_sql("name a customer", "UPDATE {customers} SET name = CASE WHEN :b > 2 THEN 'c' ELSE 'd' END WHERE id = :a")
_sql("delete a customer", "DELETE FROM {customers} WHERE id = :a")
_sql("give a customer another key", "UPDATE {customers} SET id = :a + 20 WHERE id = :a AND NOT EXISTS"
     " (SELECT 1 FROM {customers} WHERE id = :a + 20)")  # fmt: skip
_sql("insert a bill", "INSERT INTO bill (id, customer_id) VALUES (:a, :b) ON CONFLICT DO NOTHING")
_sql("move a bill", "UPDATE bill SET customer_id = :b WHERE id = :a")
_sql("delete a bill", "DELETE FROM bill WHERE id = :a")
_sql("set an amount", "UPDATE {orders} SET {amount} = :b WHERE id = :a")
_sql("raise amounts", "UPDATE {orders} SET {amount} = {amount} + 1 WHERE customer_id = :a")
_sql("move an order", "UPDATE {orders} SET customer_id = :b WHERE id = :a")
_sql("delete an order", "DELETE FROM {orders} WHERE id = :a")
_sql("delete orders", "DELETE FROM {orders} WHERE customer_id = :a")
_sql("note orders", "UPDATE {orders} SET {note} = CASE WHEN :b > 2 THEN 'n' ELSE 'm' END WHERE customer_id = :a")
_sql(
    "overwrite what is calculated",
    "UPDATE {customers} SET total = 'x', label = 'y', count = 77, sum = -1 WHERE id = :a",
)
_sql("overwrite what is due", "UPDATE bill SET due = 'x', who = 'y' WHERE id = :a")


def insert_order(
    connection: Connection, layout: Layout, table: str, id: int, customer: int, amount: int, year: int
) -> None:
    """Insert an order unless there is one with its number."""
    run(
        connection,
        f"INSERT INTO {table} (id, year, customer_id, {layout.amount})"
        f" SELECT :id, :year, :customer, :amount WHERE NOT EXISTS (SELECT 1 FROM {layout.orders} WHERE id = :id)",
        id=id, customer=customer, amount=amount, year=year,
    )  # fmt: skip


@act("insert an order")
def _insert(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    year = layout.year(1 + c % 3)
    if year is not None:
        insert_order(connection, layout, layout.orders, a, b, c, year)


@act("insert an order into its part")
def _insert_into_part(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    year = layout.year(1 + c % 3)
    if year is not None:
        insert_order(connection, layout, layout.table_of(year), a + 4, b, c, year)


@act("set amounts in a part")
def _update_part(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    run(connection, f"UPDATE {layout.table_of(a)} SET {layout.amount} = :b WHERE customer_id = :c", b=b, c=c)


@act("delete from a part")
def _delete_from_part(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    run(connection, f"DELETE FROM {layout.table_of(a)} WHERE customer_id = :b", b=b)


@act("insert many orders")
def _insert_many(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    year = layout.year(a)
    for n in range(c if year is not None else 0):
        insert_order(connection, layout, layout.orders, 10 + n, 1 + (b + n) % 4, n, year or 0)


@act("upsert an order")
def _upsert(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    year = layout.year(1)
    if year is not None:
        key = "id, year" if layout.kind == "partitioned" else "id"
        run(
            connection,
            f"INSERT INTO {layout.orders} (id, year, customer_id, {layout.amount}) SELECT :a, :year, :b, :c WHERE true"
            f" ON CONFLICT ({key}) DO UPDATE SET {layout.amount} = excluded.{layout.amount}, customer_id = :b",
            a=a + 8, b=b, c=c, year=year,
        )  # fmt: skip


@act("replace an order")
def _replace(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    if layout.dialect == "sqlite":
        run(
            connection,
            f"INSERT OR REPLACE INTO {layout.orders} (id, year, customer_id, {layout.amount}) VALUES (:a, 1, :b, :c)",
            a=a, b=b, c=c,
        )  # fmt: skip


@act("copy orders in")
def _copy(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    year = layout.year(a)
    if layout.dialect == "postgresql" and year is not None:
        existing = set(connection.execute(text(f"SELECT id FROM {layout.orders}")).scalars())
        rows = [(id, year, 1 + id % 4, b) for id in range(30, 30 + c) if id not in existing]
        copy_in(connection, layout.orders, ["id", "year", "customer_id", layout.amount], rows)


def copy_in(connection: Connection, table: str, columns: list[str], rows: list[Any]) -> None:
    """COPY rows into a table of PostgreSQL."""
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copying:
        for row in rows:
            copying.write_row(tuple(row))


@act("empty orders")
def _empty(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    if layout.dialect == "postgresql":
        run(connection, f"TRUNCATE {layout.orders if a > 1 else layout.table_of(b)}")
    else:
        run(connection, f"DELETE FROM {layout.orders}")


@act("load orders anew")
def _load_anew(connection: Connection, layout: Layout, a: int, b: int, c: int) -> None:
    """As a restore of one table's data does it: emptied and filled in one transaction."""
    columns = ", ".join(layout.columns)
    rows = [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {layout.orders}"))]
    changed = [(*row[:3], row[3] + a, *row[4:]) for row in rows if row[0] != b]
    _empty(connection, layout, 2, 0, 0)
    if layout.dialect == "postgresql":
        copy_in(connection, layout.orders, layout.columns, changed)
    else:
        places = ", ".join("?" * len(layout.columns))
        for row in changed:
            connection.exec_driver_sql(f"INSERT INTO {layout.orders} ({columns}) VALUES ({places})", row)


NAMES = tuple(ACTS)


def by_objects(connection: Connection, release: Release, a: int, b: int, c: int) -> None:
    """One unit of work of a program that has the classes of a release."""
    _, order, customer, *_ = release.base.classes
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        first = session.get(customer, a)
        if first is None:
            session.add(customer(id=a, name="o"))
        elif c == 1:
            session.delete(first)
        else:
            first.name = f"o{c}"
            for row in session.query(order).filter(order.customer_id == a):
                row.amount = row.amount + b
        session.commit()
