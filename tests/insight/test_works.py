"""Works: what each has done within an hour, a day or a week, and what is told of one."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

import afterwork as aw
from afterwork.errors import NotThere
from afterwork.events import Facts, Failed, Ran
from afterwork.insight.runs_over_time import LENGTHS, NO_LANE, RunGroup
from afterwork.jobs.history import RunHistory
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from afterwork.store.tables import hour
from tests.conftest import Shop, Trade, begin_trade
from tests.support.office import an_office
from tests.support.prepared import begin_with
from tests.support.shop import Customer
from tests.support.trade import Customer as Buyer
from tests.support.trade import Line, Order


@pytest.fixture
def database(the_shop: Shop) -> Database:
    return database_of(the_shop.engine, the_shop.settings)


def note(the_shop: Shop, database: Database, *works: str, server: int = 1, seconds: float = 0.003) -> None:
    """Runs of these works end now, on a server. Those of `Customer.fail` fail."""
    history, now = RunHistory(the_shop.settings), the_shop.clock.now()
    for work in works:
        facts = Facts("ticket", "1", 1, now - timedelta(seconds=2), now, seconds)
        failed = Failed(work, "Customer!1", "a run", "ValueError: no", facts)
        history.note(failed if work == "Customer.fail" else Ran(work, "Customer!1", "a run", facts))
    connection = database.connect()
    history.write(database, connection, server)
    connection.close()


def counts(groups: Sequence[RunGroup]) -> dict[str, tuple[int, int]]:
    return {group.name: (group.done, group.failed) for group in groups}


def test_runs_are_summed_up_by_work_kind_lane_and_server(the_shop: Shop, database: Database) -> None:
    note(the_shop, database, "Customer.send_mail", "Customer.send_mail", "Customer.fail")
    note(the_shop, database, "Customer.send_mail", "Gone.away", server=2)

    found = the_shop.app.insight(the_shop.engine).works()

    assert counts(found.works) == {"Customer.send_mail": (3, 0), "Customer.fail": (0, 1), "Gone.away": (1, 0)}
    assert counts(found.kinds) == {"ticket": (4, 1)}
    assert counts(found.lanes) == {"mail": (3, 0), "main": (0, 1), NO_LANE: (1, 0)}
    assert counts(found.servers) == {"1": (2, 1), "2": (2, 0)}
    assert (found.total.ended, found.per_hour) == (5, 5)


@pytest.mark.parametrize(
    ("chosen", "works"),
    [
        ({"server": 2}, {"Customer.send_mail", "Gone.away"}),
        ({"lane": "mail"}, {"Customer.send_mail"}),
        ({"lane": NO_LANE}, {"Gone.away"}),
        ({"kind": "timer"}, set()),
    ],
)
def test_one_kind_lane_or_server_can_be_chosen(
    the_shop: Shop, database: Database, chosen: dict[str, Any], works: set[str]
) -> None:
    note(the_shop, database, "Customer.send_mail", "Customer.fail")
    note(the_shop, database, "Customer.send_mail", "Gone.away", server=2)

    found = the_shop.app.insight(the_shop.engine).works("day", **chosen)

    assert {group.name for group in found.works} == works


def test_an_hour_has_its_minutes_and_days_and_weeks_have_their_hours(the_shop: Shop, database: Database) -> None:
    insight = the_shop.app.insight(the_shop.engine)
    note(the_shop, database, "Customer.send_mail")
    the_shop.clock.advance(timedelta(hours=3))
    note(the_shop, database, "Customer.send_mail", "Customer.send_mail")

    hour, day, week = (insight.works(span) for span in LENGTHS)

    assert [len(found.periods) for found in (hour, day, week)] == [60, 24, 168]
    assert [found.total.done for found in (hour, day, week)] == [2, 3, 3]
    assert [found.periods[-1].done for found in (hour, day, week)] == [{"ticket": 2}] * 3
    assert day.periods[-4].done == week.periods[-4].done == {"ticket": 1}
    the_shop.clock.advance(timedelta(days=1))
    assert insight.works("day").total.done == 0


def test_hours_count_what_minutes_count_however_often_they_are_written(the_shop: Shop, database: Database) -> None:
    history, connection = RunHistory(the_shop.settings), database.connect()
    now = the_shop.clock.now()
    for _ in range(3):
        history.note(Ran("Customer.send_mail", None, "a run", Facts("ticket", "1", 1, now, now, 0.25)))
        history.write(database, connection, 1)
    connection.close()

    with the_shop.engine.connect() as connection:
        (row,) = connection.execute(select(hour)).all()

    assert (row.done, row.seconds, row.took) == (3, 0.75, "0 0 0 0 0 0 0 0 3 s=0.75")
    assert row.hour == now.replace(minute=0, second=0, microsecond=0)


def test_hours_are_pruned_with_the_rest_of_history(the_shop: Shop, database: Database) -> None:
    note(the_shop, database, "Customer.send_mail")
    the_shop.clock.advance(the_shop.settings.history + timedelta(hours=2))
    note(the_shop, database, "Customer.fail")
    the_shop.run()

    with the_shop.engine.connect() as connection:
        assert connection.execute(select(hour.c.work)).scalars().all() == ["Customer.fail"]


def test_a_work_is_told_with_its_declaration_its_durations_and_its_failures(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.fail_thrice)
        session.commit()
    for _ in range(3):
        the_shop.run()
        the_shop.clock.advance(timedelta(minutes=1))
    with the_shop.session() as session:
        aw.later(session.get_one(Customer, 1).fail_thrice, after=timedelta(days=1))
        session.commit()

    found = the_shop.app.insight(the_shop.engine).work("Customer.fail_thrice")

    assert (found.kind, found.root) == ("method", "Customer")
    assert found.declared is not None
    assert found.declared.retry == "at most 3 times, 60 s after each failure"
    assert (found.runs.total.failed, found.runs.total.put_off) == (1, 2)
    assert found.took.count == 3
    assert [(run.root_id, run.attempt) for run in found.failures] == [("Customer!1", 3)]
    assert {state: count.number for state, count in found.waiting.items()} == {
        "waiting": 0, "scheduled": 1, "awaiting": 0, "running": 0,
    }  # fmt: skip


def test_durations_are_told_by_buckets_and_percentiles(the_shop: Shop, database: Database) -> None:
    note(the_shop, database, *["Customer.send_mail"] * 99, seconds=0.003)
    note(the_shop, database, "Customer.send_mail", server=2, seconds=0.015)

    found = the_shop.app.insight(the_shop.engine).work("Customer.send_mail", "day")

    assert [(bucket.above, bucket.most, bucket.count) for bucket in found.took.buckets] == [
        (0.002, 0.005, 99), (0.005, 0.01, 0), (0.01, 0.02, 1),
    ]  # fmt: skip
    assert found.took.p50 == pytest.approx(0.0035, abs=0.0001)
    assert found.took.p99 == pytest.approx(0.005)
    assert found.latency.count == 100
    assert the_shop.app.insight(the_shop.engine).work("Customer.fail").took.p50 is None


def test_a_work_that_is_gone_is_told_by_what_it_did_and_one_that_never_was_is_not_there(
    the_shop: Shop, database: Database
) -> None:
    note(the_shop, database, "Gone.away")
    insight = the_shop.app.insight(the_shop.engine)

    found = insight.work("Gone.away")

    assert (found.kind, found.declared, found.runs.total.done) == (None, None, 1)
    with pytest.raises(NotThere, match=r"no work 'Customer.send_mial'.*send_mail"):
        insight.work("Customer.send_mial")


def test_a_timer_is_told_with_its_work(engine: Engine) -> None:
    office = an_office(engine)
    office.timer(when=aw.Every(minutes=10, criteria=select(office.task)))
    office.open(tasks=2)
    office.run()

    found = office.app.insight(engine).work("Work")

    assert found.kind == "view model"
    assert found.timer is not None
    assert found.timer.schedule == "Every 10 minutes"
    assert counts(found.runs.kinds) == {"timer": (2, 0)}


# What is derived


@pytest.fixture
def trade(engine: Engine) -> Trade:
    begin_with(engine, ann_has_two_orders)
    return Trade(engine)


def ann_has_two_orders(engine: Engine) -> None:
    trade = begin_trade(engine)
    with trade.session() as session, session.begin():
        session.add(Buyer(id=1, name="Ann", orders=[Order(id=n, lines=[Line(id=n)]) for n in (1, 2)]))
    trade.run()


def test_the_graph_tells_what_each_derivation_reads_and_what_feeds_it(trade: Trade) -> None:
    found = trade.app.insight(trade.engine).graph()

    total, order = found.graph.nodes["Customer.total"], found.graph.nodes["Order.total"]
    assert "Line.quantity" in order.reads
    assert (order.writes, order.fed_by, order.level) == ("Order.total", [], 1)
    assert (total.fed_by, total.level) == (["Order.total"], 2)
    assert "Order.total" in total.reads
    assert "Order.total" not in found.graph.sources
    assert (found.caches["Order.total"].fresh.number, found.runs["Order.total"].done) == (2, 2)


def test_what_a_change_would_affect_is_known_before_it_is_made(trade: Trade) -> None:
    graph = trade.app.insight(trade.engine).graph().graph

    affected = graph.affected_by("Line.quantity")

    assert affected.index("Order.total") < affected.index("Customer.total")
    assert "Order.total" not in graph.affected_by("Order.total")
    assert graph.affected_by("Nothing.of_this") == []


def test_a_derived_value_is_told_with_what_it_depends_on(trade: Trade) -> None:
    found = trade.app.insight(trade.engine).work("Order.total")

    assert (found.kind, found.root, found.declared, found.waiting) == ("derived value", "Order", None, {})
    assert found.cache is not None
    assert "Customer.total" in found.read_by
    assert "Line.quantity" in found.reads


def test_a_model_that_derives_nothing_has_an_empty_graph(the_shop: Shop) -> None:
    assert the_shop.app.insight(the_shop.engine).graph().graph.nodes == {}
