"""What caches promise beside being right: nothing in vain, feeders first, trees, circles, time, and errors."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from tests.conftest import Trade, begin_trade
from tests.support.prepared import begin_with
from tests.support.trade import Customer, Line, Node, Order, Product


@pytest.fixture
def shop(engine: Engine) -> Trade:
    begin_with(engine, ada_has_three_orders)
    return Trade(engine)


def ada_has_three_orders(engine: Engine) -> None:
    """All is fresh."""
    trade = begin_trade(engine)
    with trade.session() as session, session.begin():
        ada = Customer(id=1, name="Ada", liked=[Product(id=1, name="tea"), Product(id=2, name="cake")])
        for n in (1, 2, 3):
            ada.orders.append(Order(id=n, lines=[Line(id=n, quantity=n, price=Decimal(10))]))
        session.add(ada)
    trade.run()


def test_an_equal_result_wakes_nobody(shop: Trade) -> None:
    shop.sql("UPDATE line SET quantity = 10, price = 1 WHERE id = 1")

    assert shop.run() == ["Order.total Order!1"]


def test_in_a_diamond_each_value_is_calculated_once(shop: Trade) -> None:
    shop.sql("UPDATE line SET quantity = quantity + 1")

    ran = shop.run()

    assert sorted(ran[:3]) == ["Order.total Order!1", "Order.total Order!2", "Order.total Order!3"]
    assert ran[3] == "Customer.total Customer!1"
    assert sorted(ran[4:]) == ["Badging Customer!1", "Customer.share Customer!1"]


def test_a_linked_object_counts_when_it_is_linked_renamed_or_unlinked(shop: Trade) -> None:
    assert shop.value("SELECT likes FROM customer") == "tea, cake"

    shop.sql("UPDATE product SET name = 'black tea' WHERE id = 1")
    shop.sql("DELETE FROM liked WHERE product_id = 2")

    assert shop.run() == ["Customer.likes Customer!1"]
    assert shop.value("SELECT likes FROM customer") == "black tea"


def test_a_moment_that_passes_makes_a_value_stale_and_nothing_looks_before(shop: Trade) -> None:
    due = shop.clock.now() + timedelta(days=3)
    with shop.session() as session:
        session.get_one(Order, 2).due = due
        session.commit()
    assert shop.run() == ["Customer.overdue Customer!1"]
    assert not shop.value("SELECT overdue FROM customer")

    shop.clock.advance(timedelta(days=2))
    assert shop.run() == []
    shop.clock.advance(timedelta(days=1))

    assert shop.run() == ["Customer.overdue Customer!1"]
    assert shop.value("SELECT overdue FROM customer")


def test_a_tree_is_calculated_up_to_its_root(the_trade: Trade) -> None:
    with the_trade.session() as session:
        session.add(Node(id=1, own=1, children=[Node(id=2, own=2, children=[Node(id=3, own=3)]), Node(id=4, own=4)]))
        session.commit()
    the_trade.run()
    assert the_trade.value("SELECT total FROM node WHERE id = 1") == 10

    the_trade.sql("UPDATE node SET own = 30 WHERE id = 3")

    assert the_trade.run() == ["Node.total Node!3", "Node.total Node!2", "Node.total Node!1"]
    assert the_trade.value("SELECT total FROM node WHERE id = 1") == 37


def test_a_circle_between_rows_is_reported_with_its_path_and_stops(the_trade: Trade) -> None:
    the_trade.sql("INSERT INTO node (id, own, total) VALUES (1, 1, 0), (2, 1, 0)")
    the_trade.sql("UPDATE node SET parent_id = 3 - id")

    ran = the_trade.run()

    assert len(ran) < 30
    with the_trade.session() as session:
        errors = [the_trade.app.explain(node, "total").error or "" for node in session.query(Node)]
    assert any("Node.total of Node!1 reads Node.total of Node!2" in error for error in errors), errors


def test_a_chain_that_is_long_is_no_circle(the_trade: Trade) -> None:
    the_trade.sql("INSERT INTO node (id, own, total) VALUES " + ", ".join(f"({n}, 1, 0)" for n in range(1, 41)))
    the_trade.sql("UPDATE node SET parent_id = id - 1 WHERE id > 1")
    the_trade.run()

    the_trade.sql("UPDATE node SET own = 2 WHERE id = 40")

    assert len(the_trade.run()) == 40
    assert the_trade.value("SELECT total FROM node WHERE id = 1") == 41


@pytest.fixture
def impossible(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Numbers with which the calculation of a node raises."""
    values = {7}

    def fails(self: Node) -> int:
        if self.own in values:
            raise ValueError(f"{self.own} can't be")
        return self.own

    monkeypatch.setattr(Node.compute_total, "function", fails)
    return values


@pytest.fixture
def nodes(impossible: set[int], the_trade: Trade) -> Trade:
    """Three nodes, of which the second has failed."""
    the_trade.sql("INSERT INTO node (id, own, total) VALUES (1, 1, 20), (2, 2, 20), (3, 3, 20)")
    the_trade.run()
    the_trade.sql("UPDATE node SET own = own + 5")
    the_trade.run()
    return the_trade


def test_an_error_leaves_the_value_and_does_not_stop_the_others(nodes: Trade) -> None:
    assert [nodes.value(f"SELECT total FROM node WHERE id = {n}") for n in (1, 2, 3)] == [6, 2, 8]
    with nodes.session() as session:
        found = nodes.app.explain(session.get_one(Node, 2), "total")
    assert found.state == "failed"
    assert "7 can't be" in (found.error or "")


def test_what_failed_is_tried_again_at_once_when_what_it_read_changes(nodes: Trade) -> None:
    nodes.sql("UPDATE node SET own = 8 WHERE id = 2")

    assert nodes.run() == ["Node.total Node!2"]
    assert nodes.value("SELECT total FROM node WHERE id = 2") == 8


def test_what_failed_is_tried_again_after_a_while(impossible: set[int], nodes: Trade) -> None:
    impossible.clear()

    assert nodes.run() == []
    nodes.clock.advance(timedelta(minutes=1))

    assert nodes.run() == ["Node.total Node!2"]


def test_a_customer_that_is_deleted_leaves_nothing_behind(shop: Trade) -> None:
    shop.sql("DELETE FROM liked")
    shop.sql("DELETE FROM customer")
    shop.run()

    roots = "SELECT count(*) FROM afterwork_cache WHERE root LIKE 'Customer!%'"
    assert shop.value(roots) == 0
    assert shop.value("SELECT count(*) FROM afterwork_due") == 0


def test_nothing_stays_in_the_journal(shop: Trade) -> None:
    shop.sql("UPDATE line SET quantity = quantity + 1")
    shop.run()

    assert shop.value("SELECT count(*) FROM afterwork_journal") == 0
    assert shop.value("SELECT count(*) FROM afterwork_recent") == 0


def test_emptying_a_table_makes_everything_stale_that_ever_read_it(shop: Trade) -> None:
    with shop.engine.begin() as connection:
        connection.execute(text("TRUNCATE line" if shop.engine.dialect.name == "postgresql" else "DELETE FROM line"))
    shop.run()

    assert shop.value("SELECT total FROM customer WHERE id = 1") == 0


def test_a_new_cache_is_filled_for_objects_that_were_there_before(the_trade: Trade) -> None:
    with the_trade.engine.begin() as connection:
        connection.execute(text("DELETE FROM afterwork_cache"))
    the_trade.sql("INSERT INTO customer (id, name, total, share, likes, overdue) VALUES (5, 'Eve', 3, 0, '', false)")
    the_trade.run()

    assert the_trade.value("SELECT total FROM customer WHERE id = 5") == 0


def test_it_can_be_asked_why(shop: Trade) -> None:
    shop.sql("UPDATE line SET quantity = 9 WHERE id = 1")
    shop.run()

    with shop.session() as session:
        found = shop.app.explain(session.get_one(Order, 1), "total")
        readers = shop.app.impact(session.get_one(Line, 1), "quantity")

    assert found.state == "fresh"
    assert "line 1 was changed: quantity from 1 to 9" in str(found)
    assert [reader.name for reader in readers][:1] == ["Order.total"]
    assert {reader.name for reader in readers} == {"Order.total", "Customer.total", "Customer.share", "Badging"}
    assert found.computed is not None
    assert found.computed <= datetime.now(UTC)


def test_what_is_stored_can_be_verified(shop: Trade) -> None:
    assert shop.app.verify(shop.engine).differences == []

    with shop.engine.begin() as connection:
        if shop.engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE orders DISABLE TRIGGER ALL"))
        else:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text("UPDATE orders SET total = 1 WHERE id = 1"))

    wrong = {(found.name, found.root_id) for found in shop.app.verify(shop.engine).differences}
    assert wrong == {("Order.total", "Order!1"), ("Customer.total", "Customer!1")}


def test_a_value_that_is_right_as_of_now_can_be_had_before_the_server_comes_to_it(shop: Trade) -> None:
    with shop.session() as session:
        ada = session.get_one(Customer, 1)
        assert not aw.is_stale(ada, "total")
        assert aw.fresh(ada, "total") == 60

        session.get_one(Line, 1).quantity = 5

        assert aw.is_stale(ada, "total")
        assert not aw.is_stale(ada, "likes")
        assert aw.fresh(ada, "total") == 100
        assert ada.total == 60
