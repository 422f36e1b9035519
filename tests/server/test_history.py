"""What a server remembers of its runs: sums by minute, totals, and records of what failed or was slow."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from afterwork.events import Broken, Facts, Failed, Ran
from afterwork.insight import Insight
from afterwork.jobs.history import RECORDS_PER_MINUTE, RunHistory
from afterwork.server.history import HistoryKeeper
from afterwork.store import history as store
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from afterwork.store.history import HistoryKey, Sums
from tests.conftest import Shop, Trade
from tests.support import shop, trade
from tests.support.shop import Customer, add_customer
from tests.support.waiting import eventually
from tests.support.world import statements

LONG_AGO = timedelta(days=3650)


def ask(the_shop: Shop, work: str, count: int = 1) -> None:
    """Tickets for one customer, due now by the clock of the test."""
    with the_shop.session() as session, session.begin():
        customer = session.get(Customer, 1) or add_customer(session)
        session.flush()
        for _ in range(count):
            ticket = shop.SysAsyncTicket(view_model=f"Customer.{work}", root_object=customer)
            ticket.created = the_shop.clock.now()
            session.add(ticket)


def insight(the_shop: Shop) -> Insight:
    return the_shop.app.insight(the_shop.engine)


def test_runs_are_summed_up_by_minute_work_and_trigger(the_shop: Shop) -> None:
    ask(the_shop, "send_mail", 3)
    the_shop.clock.advance(timedelta(seconds=4))
    the_shop.run()

    (minute,) = insight(the_shop).past(the_shop.clock.now() - timedelta(hours=1)).minutes

    assert (minute.work, minute.source, minute.done, minute.failed) == ("Customer.send_mail", "ticket", 3, 0)
    assert minute.minute == the_shop.clock.now().replace(second=0, microsecond=0)
    assert minute.wait == pytest.approx(12, abs=0.5)
    assert 0 < minute.seconds < 12


def test_latency_is_counted_from_when_a_ticket_was_due(the_shop: Shop) -> None:
    ask(the_shop, "send_mail", 99)
    the_shop.clock.advance(timedelta(milliseconds=4))
    the_shop.run()
    ask(the_shop, "send_mail")
    the_shop.clock.advance(timedelta(seconds=40))
    the_shop.run()

    found = insight(the_shop).past(the_shop.clock.now() - timedelta(hours=1)).latency

    assert found.count == 100
    assert found.p50 is not None
    assert found.p99 is not None
    assert 0.002 <= found.p50 <= 0.005
    assert found.p99 <= 0.005
    assert insight(the_shop).past(the_shop.clock.now() - timedelta(hours=1), work="Customer.fail").latency.count == 0


def test_a_failed_run_is_recorded_with_its_traceback(the_shop: Shop) -> None:
    ask(the_shop, "fail")
    the_shop.run()

    (run,) = insight(the_shop).failures(the_shop.clock.now() - timedelta(hours=1))

    assert (run.work, run.root_id, run.ticket, run.outcome) == ("Customer.fail", "Customer!1", "1", "failed")
    assert run.error is not None
    assert "Ann can't be done" in run.error
    assert run.trace is not None
    assert "in fail" in run.trace
    assert run.trace.rstrip().endswith("ValueError: Ann can't be done")
    assert insight(the_shop).failures(the_shop.clock.now() + timedelta(seconds=1)) == []


def test_each_attempt_of_a_ticket_is_recorded_newest_first(the_shop: Shop) -> None:
    ask(the_shop, "fail_thrice")
    ask(the_shop, "send_mail")
    for _ in range(3):
        the_shop.run()
        the_shop.clock.advance(timedelta(hours=1))

    found = insight(the_shop).runs(ticket="1")

    assert [(run.outcome, run.attempt) for run in found] == [("failed", 3), ("put off", 2), ("put off", 1)]
    assert len({run.run for run in found}) == 1
    assert [run.id for run in insight(the_shop).runs(root="Customer!1", before=found[0].id)] == [
        run.id for run in found[1:]
    ]
    assert insight(the_shop).runs(work="Customer.send_mail") == []


def test_a_slow_run_is_recorded_though_it_went_well(the_shop: Shop) -> None:
    the_shop.app.settings = replace(the_shop.settings, slow_run=timedelta(0))
    ask(the_shop, "send_mail")
    the_shop.run()

    (run,) = insight(the_shop).runs(outcome="done")

    assert (run.work, run.error, run.trace) == ("Customer.send_mail", None, None)


def test_in_a_storm_the_first_failures_of_a_minute_are_recorded_and_all_are_counted(the_shop: Shop) -> None:
    ask(the_shop, "fail", RECORDS_PER_MINUTE + 5)
    the_shop.run()

    (total,) = insight(the_shop).totals()

    assert total.sums.failed == RECORDS_PER_MINUTE + 5
    assert len(insight(the_shop).runs(limit=100)) == RECORDS_PER_MINUTE


def test_history_is_forgotten_and_totals_stay(the_shop: Shop) -> None:
    ask(the_shop, "fail")
    the_shop.run()
    before = insight(the_shop).totals()

    the_shop.clock.advance(the_shop.settings.history + timedelta(minutes=1))
    the_shop.run()

    assert insight(the_shop).past(the_shop.clock.now() - LONG_AGO).minutes == []
    assert insight(the_shop).runs() == []
    assert insight(the_shop).totals() == before


def test_what_starts_a_run_is_known_of_caches_too(the_trade: Trade) -> None:
    with the_trade.session() as session, session.begin():
        session.add(trade.Customer(name="Ann"))
    the_trade.run()

    found = the_trade.app.insight(the_trade.engine).totals()

    assert {one.source for one in found} == {"cache"}
    assert all(one.sums.done for one in found)


def test_nothing_is_written_for_each_run(the_shop: Shop) -> None:
    """As many statements for ninety runs as for ten."""

    def sent(count: int) -> int:
        ask(the_shop, "send_mail", count)
        with statements(the_shop.engine) as statements_sent:
            the_shop.run()
        return len(
            [
                statement
                for statement in statements_sent
                if "afterwork_minute" in statement or "afterwork_total" in statement
            ]
        )

    assert sent(10) == sent(90) > 0


def test_where_nothing_runs_nothing_is_written(the_shop: Shop) -> None:
    with statements(the_shop.engine) as found:
        the_shop.run()

    assert not [one for one in found if one.startswith(("INSERT INTO afterwork_minute", "UPDATE afterwork_total"))]


# Writing


@pytest.fixture
def database(the_shop: Shop) -> Database:
    return database_of(the_shop.engine, the_shop.settings)


def ran(the_shop: Shop, work: str = "Customer.send_mail") -> Ran:
    now = the_shop.clock.now()
    return Ran(work, "Customer!1", "a run", Facts("ticket", "1", 1, now, now, 0.25))


def test_the_same_written_twice_is_counted_once(the_shop: Shop, database: Database) -> None:
    """As after a commit of which nobody knows whether it was one."""
    history = RunHistory(the_shop.settings)
    history.note(ran(the_shop))
    sums, _ = history._take()
    with the_shop.engine.begin() as connection:
        store.write(connection, 7, sums, [])
    with the_shop.engine.begin() as connection:
        store.write(connection, 7, sums, [])

    (total,) = insight(the_shop).totals()
    assert (total.sums.done, total.sums.seconds) == (1, 0.25)


def test_sums_of_several_servers_and_of_a_minute_that_goes_on_come_together(the_shop: Shop, database: Database) -> None:
    connection = database.connect()
    for server in (1, 2):
        history = RunHistory(the_shop.settings)
        for _ in range(3):
            history.note(ran(the_shop))
            history.write(database, connection, server)
    connection.close()

    (minute,) = insight(the_shop).past(the_shop.clock.now() - timedelta(minutes=1)).minutes
    (total,) = insight(the_shop).totals()

    assert minute.done == total.sums.done == total.sums.took.count == 6


def test_what_could_not_be_written_is_written_the_next_time(the_shop: Shop, database: Database) -> None:
    history = RunHistory(the_shop.settings)
    history.note(ran(the_shop))
    history.note(Failed("Customer.fail", None, "a run", "no", ran(the_shop).facts))
    connection = database.connect()
    rename(the_shop.engine, "afterwork_run", "elsewhere")
    with pytest.raises(Exception, match="afterwork_run"):
        history.write(database, connection, 1)
    rename(the_shop.engine, "elsewhere", "afterwork_run")
    history.note(ran(the_shop))
    assert history.is_new

    history.write(database, connection, 1)
    connection.close()

    assert not history.is_new
    assert {one.work: one.sums.done + one.sums.failed for one in insight(the_shop).totals()} == {
        "Customer.send_mail": 2,
        "Customer.fail": 1,
    }
    assert len(insight(the_shop).runs()) == 1


def rename(engine: Engine, name: str, other: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {other}"))


def test_a_run_that_is_noted_late_does_not_undo_a_minute_that_is_over(the_shop: Shop, database: Database) -> None:
    history = RunHistory(the_shop.settings)
    connection = database.connect()
    late = ran(the_shop)
    history.note(late)
    the_shop.clock.advance(timedelta(minutes=2))
    history.note(ran(the_shop))
    history.write(database, connection, 1)
    history.note(late)
    history.write(database, connection, 1)
    connection.close()

    (total,) = insight(the_shop).totals()
    assert total.sums.done == 3


def test_that_history_can_t_be_written_is_said_and_the_runs_have_gone_well(the_shop: Shop) -> None:
    ask(the_shop, "send_mail")
    rename(the_shop.engine, "afterwork_minute", "elsewhere")
    rename_back = "elsewhere", "afterwork_minute"
    try:
        with pytest.raises(Exception, match="afterwork_minute"):
            the_shop.run()  # pruning it is an error of the server, as ever
    finally:
        rename(the_shop.engine, *rename_back)

    assert [one.where for one in the_shop.seen if isinstance(one, Broken)] == ["writing history"]
    assert [one for one in the_shop.seen if isinstance(one, Ran)]


def test_a_server_writes_while_it_runs_and_when_it_stops(the_shop: Shop, database: Database) -> None:
    ask(the_shop, "send_mail")
    with the_shop.app.serving(the_shop.engine):
        eventually(lambda: [one for one in the_shop.seen if isinstance(one, Ran)])
    assert [one.sums.done for one in insight(the_shop).totals()] == [1]

    connection = database.connect()
    runner = the_shop.app.runner(database, connection)
    connection.close()
    keeper = HistoryKeeper(runner, server=9, every=0.001)
    runner.history.note(ran(the_shop))
    eventually(lambda: [one.sums.done for one in insight(the_shop).totals()] == [2])
    keeper.stop(10)


def test_sums_are_added_and_taken_away_by_bucket() -> None:
    one, other = Sums(done=1, seconds=2), Sums(done=2, seconds=1)
    one.took.add(0.003)
    other.took.add(20_000)

    assert (one + other - other).values == one.values
    assert str((one + other).took).split()[2] == "1"
    assert HistoryKey("a", "ticket") < HistoryKey("a", "timer") < HistoryKey("b", "once")
