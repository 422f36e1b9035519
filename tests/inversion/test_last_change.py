"""When and why a value in sets was last written: kept where it is asked for, and nowhere else."""

from contextlib import closing
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, func, select

import afterwork as aw
from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.refresher import Refresher
from afterwork.store.journal.tables import last_change
from tests.inversion.alike import Base, Customer, Store

EACH = pytest.mark.parametrize("way", ["in_sets", "at_commit"])

CHANGES = {
    "a row changes": ("UPDATE orders SET amount = 50 WHERE id = 1", "rows of orders have changed"),
    "one comes": ("INSERT INTO orders (id, customer_id, amount) VALUES (9, 1, 5)", "rows of orders have changed"),
    "one moves": ("UPDATE orders SET customer_id = 2 WHERE id = 1", "rows of orders have changed"),
    "the value is overwritten": (
        "UPDATE customer SET in_sets = 99, at_commit = 99 WHERE id = 1",
        "a row of customer was changed: {way}",
    ),
}


def kept(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(last_change)).scalar_one()


def changed(store: Store, way: str, key: int = 1) -> datetime:
    found = store.explain(way, key).changed
    assert found is not None
    return found


@EACH
def test_explain_tells_when_it_last_changed_and_why(store: Store, way: str) -> None:
    for what, (change, why) in CHANGES.items():
        before = changed(store, way)
        store.clock.advance(timedelta(hours=1))
        store.sql(change)
        store.run()

        explained = store.explain(way)
        assert explained.changed is not None
        assert explained.changed > before, what
        assert str(explained.because) == why.format(way=way), what
        moment = f"{explained.changed:%Y-%m-%d %H:%M:%S} UTC"
        assert f"  It last changed at {moment}, because {explained.because}." in str(explained)


@EACH
def test_a_calculation_that_changes_nothing_leaves_it(store: Store, way: str) -> None:
    before = changed(store, way)
    store.clock.advance(timedelta(hours=1))
    store.sql("INSERT INTO orders (id, customer_id, amount) VALUES (9, 1, 0)", "UPDATE orders SET note = 'soon'")
    store.run()
    store.app.control(store.engine).recompute("Customer!1", way, "ann")
    store.run()

    assert changed(store, way) == before


def test_values_of_objects_that_were_there_before_are_made_because_they_were_new(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO customer (id) VALUES (1)")
        connection.exec_driver_sql("INSERT INTO orders (id, customer_id, amount) VALUES (1, 1, 7)")
    store = Store(engine)
    store.app.install(engine)
    store.run()

    assert str(store.explain("in_sets").because) == "it was new, or its code had changed"
    assert store.explain("in_sets").changed == store.clock.now()


def test_the_first_route_is_still_known_if_an_object_has_to_wait(store: Store) -> None:
    """All touches are followed to their objects before these are computed in smaller sets."""
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    database = store.app.database(store.engine)
    with closing(database.connect()) as connection:
        refresher = Refresher.of(matcher_of(database, store.app.model, connection), store.clock, uuid4())
        for refresh in refresher.refreshes.values():
            with database.transaction(connection):
                refresh.gather(connection)
    store.run()

    assert str(store.explain("in_sets").because) == "rows of orders have changed"


def test_an_object_whose_row_was_locked_is_written_later_and_still_knows_why(store: Store) -> None:
    if store.engine.dialect.name != "postgresql":
        pytest.skip("SQLite locks no rows.")
    with store.engine.connect() as other:
        store.sql("UPDATE orders SET amount = 50")
        other.exec_driver_sql("SELECT 1 FROM customer WHERE id = 1 FOR UPDATE")
        store.run()
        other.rollback()
    store.clock.advance(timedelta(seconds=1))
    store.run()

    assert str(store.explain("in_sets").because) == "rows of orders have changed"
    assert changed(store, "in_sets") > changed(store, "in_sets", 2)


def test_objects_that_are_gone_leave_nothing(store: Store) -> None:
    before = kept(store.engine)
    store.sql("UPDATE orders SET customer_id = 2 WHERE customer_id = 1", "DELETE FROM customer WHERE id = 1")
    store.run()

    assert kept(store.engine) == before - 2


def test_only_those_keep_it_that_ask_for_it(store: Store) -> None:
    assert kept(store.engine) == 4
    assert store.explain("share_in_sets").changed is None
    assert "It last changed" not in str(store.explain("share_in_sets"))


def test_who_stops_asking_for_it_leaves_nothing_that_would_be_out_of_date_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Customer.sum_in_sets, "keeps_last_change", False)
    app = aw.Afterwork(Base, clock=store.clock)
    app.install(store.engine)

    assert kept(store.engine) == 2
    monkeypatch.undo()
    again = aw.Afterwork(Base, clock=store.clock)
    again.install(store.engine)
    again.run_until_idle(store.engine)
    assert store.explain("in_sets").changed is None
    assert again.install(store.engine) == []
