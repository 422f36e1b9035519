"""Every way to write is written down, once, and nothing else is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, Table, delete, insert, text, update
from sqlalchemy.orm import Session

from tests.capture.conftest import Captured
from tests.capture.model import TABLES, Customer, Line, Order, Tag, linked

Start = Callable[..., Captured]


@pytest.fixture
def shop(captured: Start) -> Captured:
    """A customer with two orders, three lines and two tags."""
    tables = captured(*TABLES)
    with Session(tables.engine) as session, session.begin():
        session.add(Customer(id=1, name="Ann", email="ann@example.org"))
        session.add(Customer(id=2, name="Bob", email="bob@example.org"))
        session.flush()
        session.add_all([Order(id=1, customer_id=1), Order(id=2, customer_id=1)])
        session.flush()
        session.add_all([Line(id=n, order_id=1 + n // 3, quantity=n, price=1) for n in (1, 2, 3)])
        session.add_all([Tag(id=1, name="new"), Tag(id=2, name="old")])
    tables.changes()
    return tables


def test_what_the_orm_writes(shop: Captured) -> None:
    with Session(shop.engine) as session, session.begin():
        session.add(Line(id=9, order_id=1, quantity=2, price=3))
        session.get_one(Line, 1).quantity = 7
        session.delete(session.get_one(Line, 2))

    assert shop.told() == ["D line 2", "I line 9", "U line 1 quantity"]


def test_images_have_the_valued_columns_before_and_after(shop: Captured) -> None:
    with shop.engine.begin() as connection:
        connection.execute(update(Line).where(Line.id == 1).values(order_id=2))
        connection.execute(delete(Line).where(Line.id == 2))
        connection.execute(insert(Line).values(id=5, order_id=1, quantity=-4, price=2))

    moved, gone, come = shop.changes()

    assert shop.image(moved, old=True) == {"id": "1", "order_id": "1", "quantity": "1"}
    assert shop.image(moved) == {"id": "1", "order_id": "2", "quantity": "1"}
    assert shop.image(gone, old=True) == {"id": "2", "order_id": "1", "quantity": "2"}
    assert shop.image(come) == {"id": "5", "order_id": "1", "quantity": "-4"}
    assert (gone.new, come.old) == (None, None)


def test_entries_say_when_and_in_which_transaction(shop: Captured) -> None:
    with shop.engine.begin() as connection:
        connection.execute(update(Line).values(quantity=8))
    first = shop.changes()
    shop.engine.dispose()
    with shop.engine.begin() as connection:
        connection.execute(update(Line).values(quantity=9))
    (second, *_) = shop.changes()

    assert len(first) == 3
    assert first[0].tx < second.tx
    assert first[0].changed_at.tzinfo is not None
    assert first[0].changed_at <= second.changed_at


def test_bulk_statements(shop: Captured) -> None:
    assert shop.run("UPDATE line SET quantity = quantity + 1, price = 2 WHERE id < 3") == [
        "U line 1 quantity,price",
        "U line 2 quantity,price",
    ]
    assert shop.run("INSERT INTO line (id, order_id, quantity, price) SELECT id + 10, order_id, 1, 1 FROM line") == [
        "I line 11",
        "I line 12",
        "I line 13",
    ]
    assert shop.run("DELETE FROM line WHERE id > 10") == ["D line 11", "D line 12", "D line 13"]


def test_one_statement_may_change_different_columns_of_its_rows(shop: Captured) -> None:
    assert shop.run("UPDATE line SET quantity = 2, price = id") == [
        "U line 1 quantity",
        "U line 2 price",
        "U line 3 quantity,price",
    ]


def test_an_update_that_changes_nothing_writes_nothing(shop: Captured) -> None:
    assert shop.run("UPDATE line SET quantity = quantity, price = price * 1") == []
    assert shop.run("UPDATE line SET quantity = 5 WHERE id = 77") == []
    assert shop.run("DELETE FROM line WHERE id = 77") == []
    assert shop.run("UPDATE line SET quantity = 2") == ["U line 1 quantity", "U line 3 quantity"]


def test_null_is_a_value_like_others(shop: Captured) -> None:
    assert shop.run("UPDATE customer SET email = NULL WHERE id = 1") == ["U customer 1 email"]
    assert shop.run("UPDATE customer SET email = NULL WHERE id = 1") == []
    with shop.engine.begin() as connection:
        connection.execute(update(Customer).where(Customer.id == 1).values(email="x"))
    (change,) = shop.changes()
    assert shop.image(change, old=True)["email"] is None
    assert shop.image(change)["email"] == "x"


def test_what_is_left_out_of_capture_is_not_written_down(shop: Captured) -> None:
    assert shop.run("UPDATE customer SET touched = 1") == []
    assert shop.run("INSERT INTO log (id) VALUES (1)") == []
    assert shop.run("UPDATE customer SET touched = 2, name = 'Eve' WHERE id = 1") == ["U customer 1 name"]


def test_an_upsert(shop: Captured) -> None:
    upsert = (
        "INSERT INTO customer (id, name) VALUES (1, 'Eve'), (3, 'Fay')"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    assert shop.run(upsert) == ["I customer 3", "U customer 1 name"]
    assert shop.run(upsert) == []
    assert shop.run("INSERT INTO customer (id, name) VALUES (1, 'Gus') ON CONFLICT DO NOTHING") == []


def test_a_changed_key_is_one_row_that_goes_and_one_that_comes(shop: Captured) -> None:
    assert shop.run("UPDATE tag SET id = id + 1 WHERE id = 2") == ["D tag 2", "I tag 3"]
    with shop.engine.begin() as connection:
        connection.execute(text("UPDATE tag SET id = 7, name = 'x' WHERE id = 1"))
    gone, come = sorted(shop.changes(), key=lambda change: change.kind)
    assert (gone.key, shop.image(gone, old=True)["name"], gone.new) == (1, "new", None)
    assert (come.key, shop.image(come)["name"], come.old) == (7, "x", None)


def test_cascades_of_foreign_keys(shop: Captured) -> None:
    assert shop.run("DELETE FROM customer WHERE id = 1") == [
        "D customer 1",
        "U orders 1 customer_id",
        "U orders 2 customer_id",
    ]
    assert shop.run("UPDATE orders SET id = 5 WHERE id = 1") == [
        "D orders 1",
        "I orders 5",
        "U line 1 order_id",
        "U line 2 order_id",
    ]
    assert shop.run("DELETE FROM orders") == ["D line 1", "D line 2", "D line 3", "D orders 2", "D orders 5"]


def test_links_of_many_to_many(shop: Captured) -> None:
    with Session(shop.engine) as session, session.begin():
        session.get_one(Order, 1).tags = [session.get_one(Tag, 1), session.get_one(Tag, 2)]
    assert shop.told() == ["I tagged 1\x1f1", "I tagged 1\x1f2"]
    with Session(shop.engine) as session, session.begin():
        order = session.get_one(Order, 1)
        order.tags.remove(session.get_one(Tag, 1))
    assert shop.told() == ["D tagged 1\x1f1"]


def test_a_table_without_a_key_has_rows_that_come_and_go(shop: Captured) -> None:
    assert shop.run("INSERT INTO linked VALUES (1, 1), (1, 1), (1, 2)") == ["I linked None"] * 3
    with shop.engine.begin() as connection:
        connection.execute(update(linked).where(linked.c.tag_id == 2).values(order_id=2))
    gone, come = sorted(shop.changes(), key=lambda change: change.kind)
    assert (gone.kind, shop.image(gone, old=True)) == ("D", {"order_id": "1", "tag_id": "2"})
    assert (come.kind, shop.image(come)) == ("I", {"order_id": "2", "tag_id": "2"})
    assert shop.run("UPDATE linked SET order_id = order_id") == []
    assert shop.run("DELETE FROM linked") == ["D linked None"] * 3


def test_columns_of_json(shop: Captured) -> None:
    assert shop.run("UPDATE orders SET notes = '{\"a\": 1}' WHERE id = 1") == ["U orders 1 notes"]
    assert shop.run("UPDATE orders SET notes = '{\"a\": 1}'") == ["U orders 2 notes"]
    assert shop.run("UPDATE orders SET notes = '{\"a\": 1}'") == []


def test_what_is_rolled_back_leaves_nothing(shop: Captured) -> None:
    with shop.engine.connect() as connection:
        connection.execute(update(Line).values(quantity=9))
        connection.rollback()
        connection.execute(update(Line).where(Line.id == 1).values(quantity=9))
        with pytest.raises(ZeroDivisionError), connection.begin_nested():
            connection.execute(update(Line).where(Line.id == 2).values(quantity=9))
            raise ZeroDivisionError
        connection.commit()

    assert shop.told() == ["U line 1 quantity"]


def test_writers_at_the_same_time_are_all_written_down(shop: Captured) -> None:
    def write(line: int) -> None:
        for quantity in range(100, 110):
            with shop.engine.begin() as connection:
                connection.execute(update(Line).where(Line.id == line).values(quantity=quantity))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, (1, 2, 3)))

    changes = shop.changes()
    assert len(changes) == 30
    assert len({change.tx for change in changes}) == 30


def test_the_last_word_on_a_row_comes_last(shop: Captured) -> None:
    shop.run("DELETE FROM line WHERE id = 1", "INSERT INTO line VALUES (1, 1, 1, 1)")
    shop.run("UPDATE line SET quantity = 3 WHERE id = 1")
    with shop.engine.begin() as connection:
        connection.execute(text("DELETE FROM line WHERE id = 1"))
        connection.execute(text("INSERT INTO line VALUES (1, 1, 1, 1)"))
        connection.execute(text("UPDATE line SET quantity = 4 WHERE id = 1"))

    assert [change.kind for change in shop.changes()] == ["D", "I", "U"]


def test_a_tree_that_is_deleted_from_its_root(captured: Start) -> None:
    tree = Table(
        "tree",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("parent", ForeignKey("tree.id", ondelete="CASCADE")),
    )
    found = captured(tree)
    found.run("INSERT INTO tree VALUES (1, NULL)", "INSERT INTO tree VALUES (2, 1), (3, 2), (4, 3), (5, 1)")
    assert found.run("DELETE FROM tree WHERE id = 1") == [f"D tree {key}" for key in (1, 2, 3, 4, 5)]


def test_links_without_any_column_that_is_kept(captured: Start) -> None:
    table = Table("point", MetaData(), Column("x", Float), Column("y", Float))
    found = captured(table)
    assert found.run("INSERT INTO point VALUES (1, 1)") == ["I point None"]
    assert found.run("UPDATE point SET x = 2", "UPDATE point SET x = 2") == ["D point None", "I point None"]
