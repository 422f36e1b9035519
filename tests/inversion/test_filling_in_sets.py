"""Values in sets of objects that were there before are computed chunk by chunk, straight from their rows."""

from collections import Counter
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import islice

import pytest
from sqlalchemy import Engine, event, insert, update

from afterwork.derived.compute import refresher
from afterwork.jobs.run import apart
from afterwork.server.until_idle import run_until_idle
from afterwork.store.postgresql.refresh import PostgreSQLRefresh
from afterwork.store.sqlite.refresh import SQLiteRefresh
from tests.inversion.market import Customer, Line, Order, Region
from tests.inversion.scene import Market, rows_of
from tests.support.marks import ONLY_POSTGRESQL

CUSTOMERS = 7


@pytest.fixture(autouse=True)
def _chunks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (SQLiteRefresh, PostgreSQLRefresh):
        monkeypatch.setattr(kind, "max_objects", 2)
    monkeypatch.setattr(refresher, "MAX_FILL_SIZE", 2)


class Old(Market):
    """A market whose rows were there before it was installed: a customer has an order of as many pieces as its id."""

    def __post_init__(self) -> None:
        Customer.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            numbers = range(1, CUSTOMERS + 1)
            connection.execute(insert(rows_of(Region)), [{"id": 1, "name": "north"}])
            customers = [{"id": n, "name": f"c{n}", "region_id": 1} for n in numbers]
            connection.execute(insert(rows_of(Customer)), customers)
            connection.execute(insert(rows_of(Order)), [{"id": n, "customer_id": n, "status": "open"} for n in numbers])
            lines = [{"id": n, "order_id": n, "quantity": n, "price": 1, "cancelled": False} for n in numbers]
            connection.execute(insert(rows_of(Line)), lines)
        super().__post_init__()


@pytest.fixture
def old(engine: Engine) -> Market:
    return Old(engine)


def totals(market: Market) -> list[Decimal]:
    return [market.value(Order.total, n) for n in range(1, CUSTOMERS + 1)]


def test_each_value_is_computed_once_whatever_it_is_made_of(old: Market) -> None:
    ran = Counter(old.run())
    assert set(ran.values()) == {1}
    assert sum(name.startswith("Order.total") for name in ran) == CUSTOMERS
    assert ran["Region.turnover Region!1"] == 1
    assert totals(old) == list(range(1, CUSTOMERS + 1))
    assert old.value(Region.turnover, 1) == sum(range(1, CUSTOMERS + 1))
    assert (old.touches, old.run()) == (0, [])


def test_nothing_is_noted_for_each_object(old: Market) -> None:
    noted: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        noted.append(statement)

    event.listen(old.engine, "before_cursor_execute", note)
    old.run()
    assert not [statement for statement in noted if statement.startswith("INSERT INTO afterwork_touch ")]


def test_a_fill_goes_on_where_another_server_died(old: Market) -> None:
    database = old.app.database(old.engine)
    with closing(database.connect()) as connection:
        running = run_until_idle(old.app.runner(database, connection), connection)
        batches = list(islice(filter(None, running), 3))
        del running
    before = [f"{run.work} {run.root_id}" for ran in batches for pair in ran for run, _ in apart(*pair)]
    after = old.run()
    assert before
    assert after
    assert set(Counter(before + after).values()) == {1}
    assert totals(old) == list(range(1, CUSTOMERS + 1))


def test_an_object_that_can_not_be_computed_fails_alone(old: Market) -> None:
    with old.engine.begin() as connection:
        connection.execute(update(rows_of(Line)).where(Line.id == 3).values(quantity=2 * 10**9, price=9 * 10**7))
    old.run()
    wanted = [n if n != 3 else old.value(Order.total, 3) for n in range(1, CUSTOMERS + 1)]
    assert totals(old) == wanted
    if old.engine.dialect.name == "postgresql":  # where Numeric(12, 2) has no room for it
        failed = old.app.insight(old.engine).caches_of("Order.total", "failed").items
        assert [line.root_id for line in failed] == ["Order!3"]


@ONLY_POSTGRESQL
def test_a_row_that_somebody_has_locked_is_computed_later_and_holds_up_nobody(old: Market) -> None:
    with old.engine.connect() as other:
        other.exec_driver_sql("SELECT 1 FROM orders WHERE id = 3 FOR UPDATE")
        old.run()
        assert [n for n, total in enumerate(totals(old), 1) if total != n] == [3]
        other.rollback()
    old.clock.advance(timedelta(seconds=1))
    old.run()
    assert totals(old) == list(range(1, CUSTOMERS + 1))


def test_what_changes_while_filling_is_right_in_the_end(old: Market) -> None:
    database = old.app.database(old.engine)
    with closing(database.connect()) as connection:
        for number, _ in enumerate(run_until_idle(old.app.runner(database, connection), connection)):
            if number < 30:
                old.set(Line, number % CUSTOMERS + 1, price=number + 1)
    prices = [old.value(Line.price, n) for n in range(1, CUSTOMERS + 1)]
    assert totals(old) == [n * price for n, price in enumerate(prices, 1)]
    assert old.value(Region.turnover, 1) == sum(totals(old))
