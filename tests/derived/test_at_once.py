"""Small changes: they are taken, and what has read them is calculated and stored, in one transaction."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.derived.cause import Cause
from afterwork.derived.compute.calculators import TolerantCalculation
from afterwork.derived.compute.results import ResultGroup, StoreContext
from afterwork.derived.explain.explanation import Explanation
from afterwork.derived.queue.due_cache import CacheClaimRequest
from afterwork.events import Point
from afterwork.model.utc_datetime import UtcDateTime
from tests.derived import deep
from tests.derived.deep import Deep
from tests.derived.long_running import refresher
from tests.derived.small_scene import CLAIMING, QUICK, Small, only_on_postgresql, trade
from tests.support.death import Death
from tests.support.trade import Customer, Line, Order

EACH_ONCE = ["Badging Customer!1", "Customer.share Customer!1", "Customer.total Customer!1", "Order.total Order!1"]


def test_a_small_change_is_taken_and_calculated_and_stored_in_one_transaction(engine: Engine) -> None:
    scene = trade(engine)
    scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
    assert scene.runs("Order.total") == ["Order.total Order!1"]
    points = scene.points()
    first = points.index(("ran", "Order.total"))
    assert points[first : first + 3] == [(p, "Order.total") for p in ("ran", "before commit", "after commit")]
    assert ("claimed", "Order.total") not in points
    assert scene.value("SELECT total FROM orders") == 35
    assert scene.is_quiet()


def deep_trade(engine: Engine) -> Small:
    """A customer with an order of two lines of one piece each."""
    return Small(engine, Deep, settings=QUICK, first=deep.one_order)


NEW_ORDER = (
    "INSERT INTO orders (id, customer_id) VALUES (2, 1)",
    "INSERT INTO line (id, order_id, quantity) VALUES (3, 2, 1)",
)


def test_what_comes_in_several_parts_is_read_again_whatever_the_first_part_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = deep_trade(engine)
    monkeypatch.setattr("afterwork.store.journal.entries.MAX_ENTRIES_PER_TAKE", 1)
    scene.sql("UPDATE customer SET vip = 1", *NEW_ORDER)
    scene.run()
    scene.sql("UPDATE line SET quantity = 10 WHERE id = 3")
    scene.run()
    assert scene.value("SELECT total FROM customer") == 13


def test_what_waits_for_a_locked_row_has_to_read_again_whatever_comes_next(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = deep_trade(engine)
    with engine.connect() as user:
        user.execute(text("SELECT 1 FROM customer FOR NO KEY UPDATE"))
        scene.sql(*NEW_ORDER)
        scene.run()
    assert scene.value("SELECT count(*) FROM afterwork_due") == 1
    scene.sql("UPDATE customer SET vip = 1")
    scene.run()
    assert scene.value("SELECT count(*) FROM afterwork_due") == 0
    scene.sql("UPDATE line SET quantity = 10 WHERE id = 3")
    scene.run()
    assert scene.value("SELECT total FROM customer") == 13


def test_a_cache_that_is_filled_again_just_when_it_is_made_at_once_misses_nothing(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = deep_trade(engine)
    other = aw.Afterwork(Deep, clock=scene.clock, settings=aw.Settings(lock_limit=timedelta(milliseconds=200)))
    stale, connection = refresher(other, engine)
    (derivation,) = stale.matcher.registry
    claimed: list[ResultGroup] = []

    def change_back_and_calculate() -> None:
        scene.sql("UPDATE line SET quantity = 1 WHERE id = 1")
        scene.clock.advance(timedelta(seconds=1))
        began = "backfill_began = '2100-01-01', backfilled = false, backfill_position = null"
        scene.sql(f"UPDATE afterwork_derivation SET {began}")
        try:
            stale.backfill.step(connection, derivation, scene.clock.now())
        except DBAPIError:
            return  # it has to wait for its turn
        request = CacheClaimRequest(derivation, is_backfill=True, limit=9, server=99, claim="mine")
        batch = stale.matcher.due_queue.claim(connection, request, scene.clock.now())
        calculator = stale.calculators.fastest(derivation)
        claimed.extend(TolerantCalculation(stale.matcher, calculator, connection, 1.0).groups(batch))

    scene.todo["ran", "Customer.total"] = change_back_and_calculate
    scene.sql("UPDATE line SET quantity = 5 WHERE id = 1")
    scene.run()
    assert not scene.todo
    for group in claimed:
        context = StoreContext(connection, derivation, group.snapshot, scene.clock.now())
        stale.result_store.store(context, group.batch, group.results)
    connection.close()
    scene.run()
    assert scene.value("SELECT total FROM customer") == 2


def test_with_no_time_for_it_it_is_claimed_and_comes_to_the_same(engine: Engine) -> None:
    scene = trade(engine)
    told = []
    for settings in (CLAIMING, QUICK):
        scene.app = scene.server(settings)
        scene.sql("UPDATE line SET quantity = 2 WHERE id = 1")
        scene.run()
        before = explained(scene)
        scene.seen.clear()
        scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
        assert sorted(scene.runs()) == EACH_ONCE
        assert ("Order.total" in scene.claimed()) is (settings is CLAIMING)
        assert scene.is_quiet()
        assert scene.value("SELECT total FROM customer") == 35
        assert scene.value("SELECT count(*) FROM afterwork_due") == 0
        after = explained(scene)
        assert [one.runs for one in after] == [one.runs + 1 for one in before]
        told.append([(one.name, one.state, cause(one), one.reads, one.due) for one in after])
    assert told[0] == told[1]


def explained(scene: Small) -> list[Explanation]:
    return [scene.explain(1, name, cls) for cls, name in ((Order, "total"), (Customer, "total"), (Customer, "share"))]


def cause(explanation: Explanation) -> Cause:
    """Why it ran, but for when that was."""
    assert explanation.because is not None
    return replace(explanation.because, tx=None, moment=None)


@pytest.mark.parametrize("took", ["6", "null"])
def test_what_is_not_known_to_be_quick_is_claimed(took: str, engine: Engine) -> None:
    scene = trade(engine)
    scene.sql(f"UPDATE afterwork_cache SET took = {took}", "UPDATE line SET quantity = 3 WHERE id = 1")
    assert sorted(scene.runs()) == EACH_ONCE
    assert "Order.total" in scene.claimed()
    assert scene.value("SELECT total FROM customer") == 35


def test_many_that_are_quick_alone_but_not_together_are_claimed(engine: Engine) -> None:
    scene = trade(engine)
    with scene.session() as session, session.begin():
        session.add_all(Order(id=n, customer_id=1, lines=[Line(id=n)]) for n in (10, 11))
    scene.run()
    scene.seen.clear()
    scene.sql("UPDATE afterwork_cache SET took = 2", "UPDATE line SET quantity = 3 WHERE id IN (10, 11)")
    assert len(scene.runs("Order.total")) == 2
    assert "Order.total" not in scene.claimed()
    scene.sql("UPDATE afterwork_cache SET took = 2", "UPDATE line SET quantity = 4")
    assert len(scene.runs("Order.total")) == 3
    assert "Order.total" in scene.claimed()


def test_what_feeds_and_is_fed_by_one_change_runs_once_each_in_order(engine: Engine) -> None:
    scene = trade(engine)
    scene.sql("INSERT INTO customer (id, name, total, share, likes, overdue) VALUES (2, 'Bob', 0, 0, '', false)")
    scene.run()
    with scene.session() as session, session.begin():
        order = session.get_one(Order, 1)
        order.customer_id = 2  # which both totals of customers have read
        order.lines[0].quantity = 3  # and the total of the order
    ran = scene.runs()
    assert len(ran) == len(set(ran)), ran
    assert ran.index("Order.total Order!1") < ran.index("Customer.total Customer!2")
    assert ran.index("Customer.total Customer!2") < ran.index("Customer.share Customer!2")
    assert [one.total for one in scene.all(Customer)] == [0, 35]
    assert [one.share for one in scene.all(Customer)] == [0, 1]


class Timed(DeclarativeBase): ...


TimedTicket = type("SysAsyncTicket", (aw.AsyncTicket, Timed), {})


class Task(Timed):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    late: Mapped[bool] = mapped_column(default=False)
    size: Mapped[int] = mapped_column(default=1)
    old: Mapped[int] = mapped_column(default=0)

    @aw.derived(late)
    def compute_late(self) -> bool:
        return aw.passed(self.due)

    @aw.derived(old, allow_oldness=timedelta(minutes=5))
    def compute_old(self) -> int:
        return self.size


def tasks(engine: Engine) -> Small:
    """A task that is late in ten minutes. An hour has gone since its values were made."""
    scene = Small(engine, Timed, settings=QUICK)
    with scene.session() as session, session.begin():
        session.add(Task(id=1, due=scene.clock.now() + timedelta(minutes=70)))
    scene.run()
    scene.clock.advance(timedelta(hours=1))
    scene.seen.clear()
    return scene


def test_what_may_be_old_is_made_at_once_only_if_it_is_old_enough(engine: Engine) -> None:
    scene = tasks(engine)
    scene.sql("UPDATE task SET size = 2")
    assert scene.runs() == ["Task.old Task!1"]
    scene.sql("UPDATE task SET size = 3")
    assert scene.runs() == []
    scene.clock.advance(timedelta(minutes=6))
    assert scene.runs() == ["Task.old Task!1"]
    assert scene.value("SELECT old FROM task") == 3
    assert scene.claimed() == ["Task.old"]
    assert scene.value("SELECT count(*) FROM afterwork_due") == 1  # the moment at which it is late


def test_the_moment_that_was_noted_is_replaced_by_the_new_one(engine: Engine) -> None:
    scene = tasks(engine)
    for minutes in (30, 20):
        with scene.session() as session, session.begin():
            session.get_one(Task, 1).due = scene.clock.now() + timedelta(minutes=minutes)
        assert scene.runs() == ["Task.late Task!1"]
    assert scene.claimed() == []
    assert scene.explain(1, "late", Task).due == scene.clock.now() + timedelta(minutes=20)
    scene.clock.advance(timedelta(minutes=21))
    assert scene.runs() == ["Task.late Task!1"]
    assert scene.value("SELECT late FROM task") in (True, 1)
    with scene.session() as session, session.begin():
        session.get_one(Task, 1).due = scene.clock.now() - timedelta(minutes=20)
    assert scene.runs() == ["Task.late Task!1"]
    assert scene.value("SELECT count(*) FROM afterwork_due") == 0


def die() -> None:
    raise Death


@pytest.mark.parametrize("point", ["ran", "before commit", "after commit"])
def test_what_a_server_had_begun_when_it_died_the_next_one_does(point: Point, engine: Engine) -> None:
    scene = trade(engine)
    scene.sql("UPDATE line SET quantity = 3 WHERE id = 1")
    journal = "SELECT count(*) FROM afterwork_journal"
    before = scene.value(journal)
    scene.todo[point, "Order.total"] = die
    with pytest.raises(Death):
        scene.run()
    if point == "after commit":
        assert scene.value("SELECT total FROM orders") == 35
    else:
        assert scene.value(journal) == before
        assert scene.value("SELECT total FROM orders") == 25
    assert scene.value("SELECT count(*) FROM afterwork_due") == 0
    scene.run()
    assert scene.value("SELECT total FROM customer") == 35
    assert scene.explain(1, "total", Order).runs == 2
    assert scene.is_quiet()


def test_an_object_that_is_gone_with_the_change_leaves_nothing(engine: Engine) -> None:
    scene = trade(engine)
    with scene.session() as session, session.begin():
        session.execute(text("UPDATE line SET quantity = 3 WHERE id = 1"))
        session.execute(text("DELETE FROM line"))
        session.execute(text("DELETE FROM orders"))
    scene.run()
    gone = "SELECT count(*) FROM afterwork_cache WHERE root = 'Order!1'"
    assert scene.value(gone) == 0
    assert scene.value("SELECT count(*) FROM afterwork_due") == 0
    assert scene.value("SELECT total FROM customer") == 0


def test_an_object_that_was_replaced_in_the_change_gets_its_value(engine: Engine) -> None:
    scene = trade(engine)
    with scene.session() as session, session.begin():
        session.execute(text("UPDATE line SET quantity = 3 WHERE id = 1"))
        session.execute(text("DELETE FROM line"))
        session.execute(text("DELETE FROM orders"))
        session.execute(text("INSERT INTO orders (id, customer_id, total) VALUES (1, 1, 0)"))
        session.execute(text("INSERT INTO line (id, order_id, quantity, price) VALUES (1, 1, 3, 7)"))
    scene.run()
    assert scene.value("SELECT total FROM orders") == 21
    assert scene.value("SELECT total FROM customer") == 21
    scene.sql("UPDATE line SET quantity = 4")
    scene.run()
    assert scene.value("SELECT total FROM customer") == 28


def test_after_a_table_was_emptied_everything_is_right(engine: Engine) -> None:
    only_on_postgresql(engine)
    scene = trade(engine)
    scene.sql("TRUNCATE line")
    scene.run()
    assert scene.value("SELECT total FROM customer") == 0
    scene.sql("INSERT INTO line (id, order_id, quantity, price) VALUES (1, 1, 3, 7)")
    scene.run()
    assert scene.value("SELECT total FROM customer") == 21
    scene.sql("TRUNCATE customer CASCADE")
    scene.run()
    assert scene.value("SELECT count(*) FROM afterwork_cache") == 0
    assert scene.is_quiet()


def test_a_view_model_and_a_member_that_one_change_has_made_stale_are_both_made(engine: Engine) -> None:
    scene = trade(engine)
    with scene.session() as session, session.begin():
        session.execute(text("UPDATE line SET quantity = 30 WHERE id = 1"))
        session.execute(text("INSERT INTO badge (id, customer_id) VALUES (99, 1)"))
    assert sorted(scene.runs()) == EACH_ONCE
    assert scene.value("SELECT count(*) FROM badge") == 3
    assert scene.is_quiet()
