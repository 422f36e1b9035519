"""What is said of a value is the same, in the same words, whichever way it is kept right."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.derived.explain import explainer
from tests.inversion.alike import BY_SERVERS, WAYS, Customer, Order, Region, Store

EACH = pytest.mark.parametrize("way", WAYS)
BY_SERVER = pytest.mark.parametrize("way", BY_SERVERS)


def words(explanation: Any) -> list[str]:
    """The sentences of an explanation, without those on its reads and on its last run."""
    own = ("  It reads ", "  It read ", "  It has run ", "  It ran ", "  It last changed ")
    return [line.strip() for line in str(explanation).splitlines() if not line.startswith(own)]


@EACH
def test_what_no_change_has_touched_is_fresh(store: Store, way: str) -> None:
    assert words(store.explain(way))[0] == f"Customer.{way} of Customer!1 is fresh."
    assert not store.is_stale(way)


CHANGES = {
    "a row changes": "UPDATE orders SET amount = 50 WHERE id = 1",
    "many change": "UPDATE orders SET amount = amount + 1",
    "one comes": "INSERT INTO orders (id, customer_id, amount) VALUES (9, 1, 5)",
    "one goes": "DELETE FROM orders WHERE id = 2",
    "one moves away": "UPDATE orders SET customer_id = 2 WHERE id = 1",
    "one comes from elsewhere": "UPDATE orders SET customer_id = 1 WHERE id = 3",
    "the value is overwritten": "UPDATE customer SET by_reads = 99, in_sets = 99, at_commit = 99 WHERE id = 1",
}


@BY_SERVER
def test_a_change_that_no_server_has_taken_makes_it_stale_and_is_named(store: Store, way: str) -> None:
    for what, change in CHANGES.items():
        store.sql(change)

        explained = store.explain(way)
        assert explained.state == "stale", what
        assert explained.stale is not None, what
        assert explained.stale.table == ("customer" if "overwritten" in what else "orders"), what
        assert "  It is to run because " in str(explained), what
        assert store.is_stale(way), what
        store.run()
        assert store.explain(way).state == "fresh", what
        assert not store.is_stale(way), what


@BY_SERVER
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_so_is_a_table_that_was_emptied(store: Store, way: str) -> None:
    store.sql("TRUNCATE orders")

    for mapped in (Customer, Region):
        assert store.explain(way, mapped=mapped).state == "stale"
        assert store.is_stale(way, mapped=mapped)
    assert store.explain(way).stale is not None
    assert "orders" in str(store.explain(way).stale)
    with Session(store.engine) as session:
        assert aw.fresh(session.get_one(Region, 1), way) == 0


@BY_SERVER
def test_a_write_of_the_value_itself_is_named(store: Store, way: str) -> None:
    store.sql(f"UPDATE customer SET {way} = 99 WHERE id = 1")

    assert f"was changed: {way}" in str(store.explain(way))


@BY_SERVER
def test_so_is_what_is_made_of_such_a_value_though_nothing_that_it_read_has_changed_yet(store: Store, way: str) -> None:
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")

    assert store.explain(way, mapped=Region).state == "stale"
    assert "It is to run because a value that it is made of is stale." in words(store.explain(way, mapped=Region))
    assert store.is_stale(way, mapped=Region)


@BY_SERVER
def test_what_it_is_not_made_of_leaves_it_fresh(store: Store, way: str) -> None:
    for herring in (
        "UPDATE orders SET note = 'soon'",
        "UPDATE orders SET amount = 9 WHERE id = 3",
        "INSERT INTO orders (id, amount) VALUES (9, 5)",
    ):
        store.sql(herring)

    assert store.explain(way).state == "fresh"
    assert not store.is_stale(way)


@EACH
def test_what_the_session_has_not_committed_counts_for_those_who_ask_there(store: Store, way: str) -> None:
    with Session(store.engine) as session:
        session.get_one(Order, 1).amount = 50
        customer = session.get_one(Customer, 1)
        explained = store.app.explain(customer, way)
        stale = aw.is_stale(customer, way)
        value = aw.fresh(customer, way)

    is_right_by_now = way == "at_commit" and store.engine.dialect.name == "sqlite"
    assert (explained.state, stale) == (("fresh", False) if is_right_by_now else ("stale", True))
    assert "orders" in str(explained.stale) or is_right_by_now
    assert value == 52


def test_when_very_many_changes_wait_it_is_said_that_it_may_be_stale(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explainer, "MAX_WAITING", 1)
    for amount in (7, 8, 9):
        store.sql(f"UPDATE orders SET amount = {amount} WHERE customer_id = 2")

    assert store.explain("by_reads").is_behind
    assert "Very many changes wait to be matched, so it may be stale. See: afterwork status" in words(
        store.explain("by_reads")
    )
    assert not store.explain("in_sets").is_behind


@EACH
def test_a_value_that_can_not_be_calculated_has_failed_alone_and_says_why(store: Store, way: str) -> None:
    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1", "UPDATE orders SET amount = 20 WHERE id = 3")
    store.run()

    first, second = (store.explain(f"share_{way}", key) for key in (1, 2))
    assert (first.state, second.state) == ("failed", "fresh")
    assert f"  It failed: {first.error}" in str(first)
    assert "when something that it read changes." in str(first)
    assert store.is_stale(f"share_{way}")
    store.sql("UPDATE orders SET amount = 25 WHERE customer_id = 1")
    store.clock.advance(timedelta(days=1))
    store.run()
    assert store.explain(f"share_{way}").state == "fresh"


@pytest.mark.parametrize("way", ["in_sets", "at_commit"])
def test_one_that_no_server_has_set_aside_yet_is_stale_and_says_what_fails(store: Store, way: str) -> None:
    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1")

    with Session(store.engine) as session:
        customer = session.get_one(Customer, 1)
        explained = store.app.explain(customer, f"share_{way}")
        assert session.get_one(Customer, 2).id == 2, "the transaction goes on"

    assert (explained.state, explained.stale and explained.stale.table) == ("stale", "orders")
    if store.engine.dialect.name == "postgresql":  # SQLite makes null of it
        assert "  It can't be calculated as things are: DataError" in str(explained)
        assert "division by zero" in str(explained)


@pytest.mark.parametrize(
    ("mapped", "key", "member"),
    [(Order, 1, "amount"), (Order, 1, "customer_id"), (Customer, 1, "orders"), (Customer, 1, "region_id")],
)
def test_impact_names_the_same_values(store: Store, mapped: Any, key: int, member: str) -> None:
    readers = store.impact(mapped, key, member)

    of_each = [
        {(name.replace(way, "…"), root) for name, root in readers if way in name and "share" not in name}
        for way in WAYS
    ]
    assert of_each[0] == of_each[1] == of_each[2] != set()


def test_impact_on_an_empty_collection_knows_what_a_first_row_would_touch(store: Store) -> None:
    store.sql("DELETE FROM orders WHERE customer_id = 1")
    store.run()

    assert {("Customer.in_sets", "Customer!1"), ("Customer.at_commit", "Customer!1")} <= store.impact(
        Customer, 1, "orders"
    )


@EACH
def test_a_value_may_be_made_again_by_hand(store: Store, way: str) -> None:
    store.app.control(store.engine).recompute("Customer!1", way, "ann")

    is_done_at_once = way == "at_commit" and store.engine.dialect.name == "sqlite"
    assert (f"Customer.{way} Customer!1" in store.run()) != is_done_at_once
    assert store.explain(way).state == "fresh"


def test_verify_checks_the_same_number_of_values_and_says_what_it_leaves_out(store: Store) -> None:
    verified = store.app.verify(store.engine)
    assert {verified.checked[f"Customer.{way}"] for way in WAYS} == {2}
    assert (verified.differences, verified.left_out, verified.is_behind) == ([], {}, False)

    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    verified = store.app.verify(store.engine)
    assert verified.is_behind
    assert verified.left_out["Customer.in_sets"] == 1
    assert (verified.checked["Customer.in_sets"], verified.checked["Customer.at_commit"]) == (1, 2)

    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1")
    store.run()
    verified = store.app.verify(store.engine)
    assert not verified.is_behind
    assert {verified.left_out[f"Customer.share_{way}"] for way in WAYS} == {1}


@EACH
def test_verify_finds_a_value_that_is_not_what_its_calculation_says(store: Store, way: str) -> None:
    store.sql(*_without_triggers(store))
    store.sql(f"UPDATE customer SET {way} = 99 WHERE id = 1")

    found = {(one.name, one.root_id, one.stored, one.calculated) for one in store.app.verify(store.engine).differences}
    assert (f"Customer.{way}", "Customer!1", "99", "3") in found


def _without_triggers(store: Store) -> list[str]:
    if store.engine.dialect.name == "postgresql":
        return ["ALTER TABLE customer DISABLE TRIGGER ALL"]
    with store.engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'customer'"
        ).scalars()
        return [f"DROP TRIGGER {name}" for name in names]
