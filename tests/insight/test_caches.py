"""How caches stand over all objects, lists of them, what they read and who reads them, and running one by hand."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import get_args

import pytest
from sqlalchemy import Engine, text

from afterwork.derived.explain.explanation import CacheState
from afterwork.errors import BadRequest
from afterwork.events import Acted
from afterwork.insight import page as pages
from afterwork.insight.caches import CacheSummary
from afterwork.store.bounded_count import Count
from tests.conftest import Trade, begin_trade
from tests.support.effort import effort
from tests.support.prepared import begin_with
from tests.support.trade import Customer, Line, Order, Product


@pytest.fixture
def shop(engine: Engine) -> Trade:
    begin_with(engine, three_customers)
    return Trade(engine)


def three_customers(engine: Engine) -> None:
    """Each has two orders of one line; one line was changed since."""
    trade = begin_trade(engine)
    with trade.session() as session, session.begin():
        for n in (1, 2, 3):
            customer = Customer(id=n, name=f"Ann {n}", liked=[Product(id=n, name=f"tea {n}")])
            customer.orders = [Order(id=2 * n - k, lines=[Line(id=2 * n - k)]) for k in (1, 0)]
            session.add(customer)
    trade.run()
    trade.sql("UPDATE line SET quantity = 5 WHERE id = 1")
    trade.run()


def order_total(shop: Trade) -> CacheSummary:
    return shop.app.insight(shop.engine).cache("Order.total")


def listed(shop: Trade, state: CacheState | None = None, after: str | None = None) -> list[str]:
    return [one.root_id for one in shop.app.insight(shop.engine).caches_of("Order.total", state, after).items]


def test_it_is_told_how_many_are_fresh_and_what_made_them_stale(shop: Trade) -> None:
    found = order_total(shop)

    assert (found.kind, found.fresh, found.stale, found.failed, found.running) == (
        "value", Count(6), Count(0), Count(0), Count(0),
    )  # fmt: skip
    assert found.runs == 7
    assert [(one.what, one.times) for one in found.causes] == [("Line.quantity", 1)]
    assert found.backfill.is_complete


def test_what_waits_for_a_moment_is_fresh_and_what_has_failed_is_stale(shop: Trade) -> None:
    shop.sql("INSERT INTO afterwork_due (cache, derivation, due, depth, attempts, reread, backfill, stored)"
             " SELECT id, derivation, '2999-01-01 00:00:00', 0, 0, false, false, false FROM afterwork_cache"
             " WHERE root IN ('Order!1', 'Order!2')")  # fmt: skip
    assert (order_total(shop).fresh, order_total(shop).stale) == (Count(6), Count(0))

    shop.sql("UPDATE afterwork_due SET since = '2020-01-01 00:00:00'"
             " WHERE cache = (SELECT id FROM afterwork_cache WHERE root = 'Order!1')")  # fmt: skip
    shop.sql("UPDATE afterwork_cache SET error = 'ValueError' WHERE root = 'Order!1'")
    found = order_total(shop)
    assert (found.fresh, found.stale, found.failed) == (Count(5), Count(1), Count(1))
    assert listed(shop, "failed") == ["Order!1"]
    assert "Order!1" not in listed(shop, "fresh")


def test_lists_go_on_where_a_page_ends(shop: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 4)
    insight = shop.app.insight(shop.engine)

    first = insight.caches_of("Order.total")
    rest = insight.caches_of("Order.total", after=first.next)

    assert [one.root_id for one in (*first.items, *rest.items)] == [f"Order!{n}" for n in range(1, 7)]
    assert rest.next is None


def test_what_is_due_is_listed_in_the_order_in_which_it_runs(shop: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    control, insight = shop.app.control(shop.engine), shop.app.insight(shop.engine)
    for order in (5, 2):
        control.recompute(f"Order!{order}", "total", "ann")
        shop.clock.advance(timedelta(seconds=1))

    first = insight.caches_of("Order.total", "stale")
    second = insight.caches_of("Order.total", "stale", first.next)

    assert [one.root_id for one in (*first.items, *second.items)] == ["Order!5", "Order!2"]
    with pytest.raises(BadRequest, match="No page of this list begins after 'nonsense'"):
        insight.caches_of("Order.total", "stale", "nonsense")


def test_a_cache_is_run_by_hand_and_says_who_asked_for_it(shop: Trade) -> None:
    seen: list[object] = []
    shop.app.events = shop.app.events.also(seen.append)
    shop.sql("UPDATE customer SET total = 999 WHERE id = 1")
    shop.run()

    shop.app.control(shop.engine).recompute("Customer!1", "total", "ann")

    acted = [one for one in seen if isinstance(one, Acted)]
    assert acted == [Acted("ann", "recomputed", "Customer.total of Customer!1")]
    assert shop.app.insight(shop.engine).explain("Customer!1", "total").state == "stale"
    assert "Customer.total Customer!1" in shop.run()
    why = shop.app.insight(shop.engine).explain("Customer!1", "total")
    assert (why.state, str(why.because)) == ("fresh", "ann asked for it")
    assert shop.value("SELECT total FROM customer WHERE id = 1") == 6


def test_what_can_not_be_run_by_hand_is_told_so(shop: Trade) -> None:
    control = shop.app.control(shop.engine)
    with pytest.raises(BadRequest, match=r"Customer!99 has no cache Customer\.total"):
        control.recompute("Customer!99", "total", "ann")
    with pytest.raises(BadRequest, match="Product has no cache 'price'"):
        control.recompute("Product!1", "price", "ann")
    control.recompute("Customer!1", "total", "ann")
    shop.sql("UPDATE afterwork_due SET claim = 'a'")
    with pytest.raises(BadRequest, match=r"Customer\.total of Customer!1 runs just now"):
        control.recompute("Customer!1", "total", "ann")


def test_a_cache_stands_between_what_it_read_and_who_reads_it(shop: Trade) -> None:
    around = shop.app.insight(shop.engine).around("Order!1", "total")

    asked = next(group for group in around.reads if group.name == "Line, queried")
    assert [(one.label, set(one.members)) for one in asked.listed] == [
        ("Line where order_id = 1", {"quantity", "price"})
    ]
    assert {group.name: [one.root_id for one in group.listed] for group in around.readers} == {
        "Customer.total": ["Customer!1"],
        "Customer.share": ["Customer!1"],
    }
    assert [(group.name, group.listed[0].state) for group in around.further] == [("Badging", "fresh")]
    assert ("Customer.total", "Badging") in around.onward


def test_what_another_cache_writes_leads_to_that(shop: Trade) -> None:
    around = shop.app.insight(shop.engine).around("Customer!1", "total")

    orders = next(group for group in around.reads if group.name == "Order")
    assert {(one.label, one.cache, one.state) for one in orders.listed} == {
        ("Order!1", "Order.total", "fresh"), ("Order!2", "Order.total", "fresh"),
    }  # fmt: skip


def many(shop: Trade, count: int) -> None:
    """Caches of orders that are not there, as a server leaves them: many wait for a moment, many are stale."""
    numbers = f"generate_series(100, {count}) AS g(n)"
    first, kind = "", "timestamptz"
    if shop.engine.dialect.name == "sqlite":
        first = f"WITH RECURSIVE g(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM g WHERE n < {count}) "
        numbers, kind = "g", "text"
    early, late = (f"CAST('{year}-01-01 00:00:00' AS {kind})" for year in (2020, 2999))
    mine = "(SELECT id FROM afterwork_derivation WHERE name = 'Order.total')"
    with shop.engine.begin() as connection:
        for into, values in (
            ("afterwork_cache (id, derivation, root, runs, depth, computed)",
             f"SELECT n, {mine}, 'Order!' || n, 1, 0, {early} FROM {numbers}"),
            ("afterwork_due (cache, derivation, due, since, depth, attempts, reread, backfill, stored)",
             f"SELECT n, {mine}, CASE WHEN n % 2 = 0 THEN {late} ELSE {early} END,"
             f" CASE WHEN n % 2 = 0 THEN NULL ELSE {early} END, 0, 0, false, false, false"
             f" FROM {numbers} WHERE n % 5 <> 0"),
        ):  # fmt: skip
            connection.execute(text("DELETE FROM " + into.partition(" ")[0]))
            connection.execute(text(f"INSERT INTO {into} {first}{values}"))
        connection.execute(text("ANALYZE"))


def test_looking_costs_no_more_with_three_times_as_many(shop: Trade) -> None:
    insight = shop.app.insight(shop.engine)
    looks: dict[str, Callable[[], object]] = {"all": lambda: insight.cache("Order.total")}
    for state in get_args(CacheState):
        looks[state] = partial(insight.caches_of, "Order.total", state)
    efforts: dict[str, list[int]] = {name: [] for name in looks}
    for count in (30_000, 90_000):
        many(shop, count)
        for name, look in looks.items():
            efforts[name].append(effort(shop.engine, look))

    assert order_total(shop).stale == Count(10_000, or_more=True)
    assert all(many < 1.5 * few + 20 for few, many in efforts.values()), efforts
