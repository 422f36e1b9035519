"""What SQLite's REPLACE puts out of the way is written down as gone."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, UniqueConstraint, event, text

from tests.capture.conftest import Captured
from tests.capture.model import Base
from tests.support.marks import ONLY_SQLITE

Start = Callable[..., Captured]

pytestmark = ONLY_SQLITE


@pytest.fixture
def shop(captured: Start) -> Captured:
    tables = [Base.metadata.tables[name] for name in ("customer", "orders", "line")]
    table = captured(*tables)
    table.run(
        "INSERT INTO customer (id, name, email) VALUES (1, 'Ann', 'a'), (2, 'Bob', 'b'), (3, 'Cy', 'c')",
        "INSERT INTO orders (id, customer_id) VALUES (1, 1)",
        "INSERT INTO line (id, order_id, quantity, price) VALUES (1, 1, 1, 1)",
    )
    return table


def test_a_row_replaced_by_its_key(shop: Captured) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("INSERT OR REPLACE INTO line (id, order_id, quantity, price) VALUES (1, 1, 5, 1)"))
    gone, come = shop.changes()
    assert (gone.kind, gone.key, shop.image(gone, old=True)["quantity"]) == ("D", 1, "1")
    assert (come.kind, come.key, shop.image(come)["quantity"]) == ("I", 1, "5")


def test_rows_replaced_by_another_unique_column(shop: Captured) -> None:
    assert shop.run("REPLACE INTO customer (id, name, email) VALUES (7, 'Eve', 'b')") == [
        "D customer 2",
        "I customer 7",
    ]
    assert shop.run("REPLACE INTO customer (id, name, email) VALUES (1, 'Eve', 'c')") == [
        "D customer 1",
        "D customer 3",
        "I customer 1",
        "U orders 1 customer_id",
    ]


def test_a_row_replaced_by_an_update(shop: Captured) -> None:
    assert shop.run("UPDATE OR REPLACE customer SET email = 'b' WHERE id = 3") == ["D customer 2", "U customer 3 email"]
    assert shop.run("UPDATE OR REPLACE customer SET id = 1 WHERE id = 3") == [
        "D customer 1",
        "D customer 3",
        "I customer 1",
        "U orders 1 customer_id",
    ]


def test_cascades_of_a_replaced_row_are_written_down_too(shop: Captured) -> None:
    assert shop.run("REPLACE INTO orders (id, customer_id) VALUES (1, 2)") == ["D line 1", "D orders 1", "I orders 1"]


def test_what_stays_is_not_written_down_as_gone(shop: Captured) -> None:
    assert shop.run("INSERT OR IGNORE INTO customer (id, name, email) VALUES (1, 'Eve', 'x')") == []
    assert shop.run("INSERT OR IGNORE INTO customer (id, name, email) VALUES (9, 'Eve', 'b'), (5, 'Fay', 'f')") == [
        "I customer 5"
    ]
    assert shop.run("INSERT INTO customer (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'Eve'") == [
        "U customer 1 name"
    ]
    assert shop.run("REPLACE INTO customer (id, name, email) VALUES (6, 'Gus', 'g')") == ["I customer 6"]
    moved = shop.run("INSERT INTO customer (id, name) VALUES (5, 'x') ON CONFLICT (id) DO UPDATE SET id = 8")
    assert moved == ["D customer 5", "I customer 8"]


def test_what_was_in_the_way_of_an_insert_that_did_nothing_is_gone_once_when_it_is_deleted(shop: Captured) -> None:
    """Whoever writes next does not say it again."""
    assert shop.run("INSERT INTO orders (id, customer_id) VALUES (1, 2) ON CONFLICT DO NOTHING") == []
    assert shop.run("DELETE FROM orders WHERE id = 1") == ["D line 1", "D orders 1"]
    assert shop.run("INSERT INTO orders (id, customer_id) VALUES (2, 1)") == ["I orders 2"]
    assert shop.run("UPDATE orders SET customer_id = 2") == ["U orders 2 customer_id"]


INDEXES = {
    "lower(address)": "CREATE UNIQUE INDEX one ON mail (lower(address))",
    "odd text": """CREATE UNIQUE INDEX "(one" ON mail (lower ( "address" ) || ',)' /* a, b( */ DESC, box -- c)
        ) where box <> '),''('""",
    "nocase": "CREATE UNIQUE INDEX one ON mail (substr(address, 1) COLLATE NOCASE ASC, box + 0)",
    "partial": "CREATE UNIQUE INDEX one ON mail (box, length(address)) WHERE is_open AND box > 0",
}


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("recursive", ["OFF", "ON"])
def test_a_row_replaced_by_what_an_index_makes_of_it(captured: Start, index: str, recursive: str) -> None:
    columns: list[Column[Any]] = [Column("address", Text), Column("box", Integer), Column("is_open", Integer)]
    mail = captured(Table("mail", MetaData(), Column("id", Integer, primary_key=True), *columns))
    with mail.engine.begin() as connection:
        connection.exec_driver_sql(INDEXES[index])
    mail.install()
    event.listen(mail.engine, "connect", lambda one, _: one.execute(f"PRAGMA recursive_triggers = {recursive}"))
    mail.engine.dispose()
    mail.run("INSERT INTO mail VALUES (1, 'ann@x', 1, 1), (2, 'bob@xyz', 1, 1)")

    replaced = mail.run("INSERT OR REPLACE INTO mail VALUES (3, 'ANN@x', 1, 1)")
    moved = mail.run("UPDATE OR REPLACE mail SET address = 'BOB@xyz' WHERE id = 3")
    apart = mail.run("INSERT OR REPLACE INTO mail VALUES (4, 'eve@xyzz', 1, 0)")

    assert (replaced, moved) == (["D mail 1", "I mail 3"], ["D mail 2", "U mail 3 address"])
    assert apart == ["I mail 4"]
    assert mail.run("DELETE FROM mail") == ["D mail 3", "D mail 4"]


def test_recursive_triggers_make_no_difference(shop: Captured) -> None:
    shop.engine.dispose()
    event.listen(shop.engine, "connect", lambda connection, _: connection.execute("PRAGMA recursive_triggers = ON"))
    told = shop.run("REPLACE INTO customer (id, name, email) VALUES (7, 'Eve', 'b')")
    assert told == ["D customer 2", "I customer 7"]


def test_rows_without_a_number_of_their_own(captured: Start) -> None:
    metadata = Base.metadata.__class__()
    table = Table(
        "stock",
        metadata,
        Column("place", Text, primary_key=True),
        Column("rowid", Integer, primary_key=True),
        Column("code", Integer),
        UniqueConstraint("code"),
        sqlite_with_rowid=False,
    )
    stock = captured(table)
    stock.run("INSERT INTO stock VALUES ('a', 1, 10), ('b', 2, 20)")

    assert stock.run("REPLACE INTO stock VALUES ('a', 1, 11)") == ["D stock a\x1f1", "I stock a\x1f1"]
    assert stock.run("REPLACE INTO stock VALUES ('c', 3, 20)") == ["D stock b\x1f2", "I stock c\x1f3"]
    assert stock.run("UPDATE OR REPLACE stock SET code = 11 WHERE place = 'c'") == [
        "D stock a\x1f1",
        "U stock c\x1f3 code",
    ]
