"""Values that are said as queries: what changes them, who is asked for them, and what is kept of them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert

import afterwork as aw
from tests.inversion.market import Customer, Line, Order, Region
from tests.inversion.scene import Market, rows_of
from tests.support.marks import ONLY_SQLITE


def test_a_changed_row_makes_the_values_right_that_its_query_leads_to(market: Market) -> None:
    market.fill()
    market.set(Line, 1, price=5)
    assert market.run() == [
        "Customer.above Customer!1",
        "Customer.dearest Customer!1",
        "Customer.open_total Customer!1",
        "Order.total Order!1",
        "Region.turnover Region!1",
    ]
    assert market.value(Customer.open_total, 1) == Decimal(4 * 6 + 4)
    assert market.value(Region.turnover, 1) == Decimal(8 * 6 + 4)


def test_nothing_is_remembered_of_what_a_value_has_read(market: Market) -> None:
    market.fill()
    assert market.manifests == 0
    assert market.touches == 0


def test_a_column_that_no_expression_reads_touches_nothing(market: Market) -> None:
    market.fill()
    market.set(Line, 1, note="soon")
    assert market.touches == 0
    assert market.run() == []


def test_a_row_that_a_filter_leaves_out_makes_nothing_run(market: Market) -> None:
    market.fill()
    market.set(Line, 1, cancelled=True)
    market.run()
    market.set(Line, 1, quantity=9)
    assert "Customer.open_total Customer!1" not in market.run()


def test_an_equal_result_makes_no_reader_run(market: Market) -> None:
    market.fill()
    market.sql("UPDATE line SET quantity = 3, price = 2 WHERE id = 1")
    assert "Region.turnover Region!1" not in market.run()


def test_a_row_that_moves_makes_both_ends_right(market: Market) -> None:
    market.fill()
    market.set(Order, 1, customer_id=2)
    market.run()
    assert (market.value(Customer.orders, 1), market.value(Customer.orders, 2)) == (1, 3)
    assert (market.value(Customer.open_total, 1), market.value(Customer.open_total, 2)) == (12, 36)


@ONLY_SQLITE
@pytest.mark.parametrize("otherwise", ["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"])
def test_rows_that_lead_to_the_same_note_it_once_whatever_the_writer_does_about_conflicts(
    market: Market, otherwise: str
) -> None:
    market.fill(customers=1, orders=1)
    market.sql("UPDATE line SET product_id = 1")
    write = f"UPDATE OR {otherwise} line SET price = price + 1"
    market.sql(write)
    noted = market.touches

    market.sql(write)

    assert market.touches == noted
    market.run()
    assert market.value(Customer.open_total, 1) == 2 * 2 * 5


def test_a_chain_of_moves_within_one_transaction_misses_nobody(market: Market) -> None:
    market.fill()
    with market.engine.begin() as connection:
        connection.execute(rows_of(Line).update().where(Line.id == 1).values(order_id=3))
        connection.execute(rows_of(Order).update().where(Order.id == 3).values(customer_id=1))
        connection.execute(delete(Order).where(Order.id == 1))
    market.run()
    assert [market.value(Customer.open_total, key) for key in (1, 2)] == [Decimal(5 * 6), Decimal(12)]
    with market.session() as session:
        assert not any(aw.is_stale(session.get_one(Customer, key), "open_total") for key in (1, 2))


def test_new_objects_have_their_values_and_deleted_ones_leave_nothing(market: Market) -> None:
    market.fill()
    market.sql("INSERT INTO customer (id, name) VALUES (9, 'new')")
    market.run()
    assert market.value(Customer.label, 9) == "new/-"
    market.sql("DELETE FROM customer WHERE id = 9")
    market.run()
    assert market.touches == 0


def test_a_value_that_somebody_else_has_written_becomes_right_again(market: Market) -> None:
    market.fill()
    market.set(Customer, 1, kinds=77)
    assert market.run() == ["Customer.kinds Customer!1"]
    assert market.value(Customer.kinds, 1) == 0


def test_values_of_objects_that_were_there_before_are_filled(market: Market) -> None:
    market.sql("UPDATE customer SET orders = 0")
    with market.engine.begin() as connection:
        connection.execute(insert(rows_of(Customer)), [{"id": n, "name": "old"} for n in range(1, 21)])
        connection.exec_driver_sql("DELETE FROM afterwork_touch")
    assert "Customer.label Customer!20" in market.run()
    assert market.value(Customer.label, 20) == "old/-"


def test_a_stale_value_is_known_to_be_stale_and_can_be_had_fresh(market: Market) -> None:
    market.fill()
    with market.session() as session:
        region = session.get_one(Region, 1)
        assert not aw.is_stale(region, "turnover")
        market.set(Line, 1, price=5)
        session.rollback()
        assert aw.is_stale(region, "turnover"), "through the order's total"
        assert aw.fresh(region, "turnover") == Decimal(52)


def test_explain_says_how_a_value_is_kept_right_and_what_it_reads(market: Market) -> None:
    market.fill()
    with market.session() as session:
        text = str(market.app.explain(session.get_one(Customer, 1), "open_total"))
    assert "is fresh" in text
    assert "its query leads from each change to the objects that it touches" in text
    assert "line" in text


def test_impact_follows_the_ways_before_anything_is_changed(market: Market) -> None:
    market.fill()
    with market.session() as session:
        readers = market.app.impact(session.get_one(Line, 1), "price")
    assert ("Region.turnover", "Region!1") in [(reader.name, reader.root_id) for reader in readers]


def test_a_row_that_somebody_has_locked_waits_and_holds_up_nobody(market: Market) -> None:
    if market.engine.dialect.name != "postgresql":
        pytest.skip("SQLite locks no rows.")
    market.fill()
    with market.engine.connect() as other:
        other.exec_driver_sql("SELECT 1 FROM customer WHERE id = 1 FOR UPDATE")
        market.sql("UPDATE line SET price = 4")
        market.run()
        assert market.value(Customer.open_total, 2) == Decimal(32)
        other.rollback()
    market.clock.advance(timedelta(seconds=1))
    market.run()
    assert market.value(Customer.open_total, 1) == Decimal(32)
