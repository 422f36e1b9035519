"""An upgrade beside timers, tickets and other servers: all else waits for it, unless it has failed."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event, Failed, InTheWay, Reached
from afterwork.store import leases, tables
from afterwork.store import once as log
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from tests.stories.once_scene import tasks, upgrade
from tests.support.office import Office
from tests.support.waiting import eventually
from tests.support.world import statements


def test_it_runs_before_timers_and_tickets(office: Office) -> None:
    def tidy(self: Any) -> None: ...

    office.task.tidy = aw.method(tidy)
    office.timer("Anew", root=False, when=aw.Every(minutes=10))
    upgrade(office, "first")
    office.open(tasks=1)
    with Session(office.engine) as session, session.begin():
        aw.later(session.get_one(office.task, 1).tidy)

    assert [work for work, _, _ in office.run()] == ["Upgrade.first", "Task.tidy", "Anew"]


def test_what_has_failed_holds_up_no_other_work(office: Office) -> None:
    office.timer("Anew", root=False, when=aw.Every(minutes=10))
    upgrade(office, "first", broken=["first"])
    office.open()

    assert office.run() == [("Upgrade.first", None, False), ("Anew", None, True)]


def test_a_server_runs_it_before_it_begins_anything_else(office: Office) -> None:
    office.timer("Anew", root=False, when=aw.Every(seconds=1000))
    upgrade(office, "first", "second")
    office.open()
    app = office.app

    with app.serving(office.engine):
        eventually(lambda: None in office.log)

    assert office.log == ["first", "second", None]


def test_whatever_wakes_a_server_nothing_else_begins_before_it_has_ended(office: Office) -> None:
    gate = threading.Event()

    def work(self: Any) -> None:
        gate.wait(20)
        office.log.append("upgraded")

    def tidy(self: Any) -> None:
        office.log.append("tidied")

    office.task.tidy = aw.method(tidy)
    office.timer("Upgrade", root=False, when=aw.Once(), work=aw.action(work), external=True, lane="upgrades")
    office.open(tasks=1)

    with office.app.serving(office.engine), statements(office.engine) as sent:
        with Session(office.engine) as session, session.begin():
            aw.later(session.get_one(office.task, 1).tidy)
        looks = len(looks_at(sent))
        eventually(lambda: len(looks_at(sent)) > looks + 2)
        gate.set()
        eventually(lambda: "tidied" in office.log)

    assert office.log == ["upgraded", "tidied"]


def looks_at(sent: list[str]) -> list[str]:
    """The statements that ask what has run once."""
    return [one for one in sent if "FROM afterwork_once" in one]


def test_a_server_that_sleeps_is_woken_for_what_may_run_again(office: Office) -> None:
    broken = ["first"]
    upgrade(office, "first", "second", broken=broken)
    office.open()
    app = office.app

    with app.serving(office.engine):
        eventually(lambda: [one.state for one in app.insight(office.engine).once()] == ["failed", "waiting"])
        broken.clear()
        app.control(office.engine).retry_once("Upgrade.first")
        eventually(lambda: [one.state for one in app.insight(office.engine).once()] == ["done", "done"])


def test_while_its_lane_is_paused_it_waits_and_holds_up_nothing_else(office: Office) -> None:
    office.timer("Anew", root=False, when=aw.Every(minutes=10, lane=None))
    upgrade(office, "first", lane="upgrades")
    office.open()
    office.app.control(office.engine).pause("upgrades")

    assert [work for work, _, _ in office.run()] == ["Anew"]
    office.app.control(office.engine).resume("upgrades")
    assert [work for work, _, _ in office.run()] == ["Upgrade.first"]


def test_while_another_server_runs_it_all_else_waits(office: Office) -> None:
    """Another server has begun an external action, and lives."""
    office.timer("Anew", root=False, when=aw.Every(minutes=10, lane=None))
    upgrade(office, "first", "second", external=True)
    office.open()
    lease = begun_elsewhere(office)

    assert office.run() == []
    (first, *_) = office.app.insight(office.engine).once()
    assert first.state == "running"

    office.clock.advance(timedelta(days=1))
    assert office.run() == []  # its own clock may be wrong
    silent_for_a_day(office)
    assert office.run() == [("Upgrade.first", None, False), ("Anew", None, True)]
    (first, second) = office.app.insight(office.engine).once()
    assert "its server was lost" in str(first.error)
    assert second.waits_for == "Upgrade.first"
    with office.engine.begin() as connection:
        assert not leases.holds(connection, lease)
        assert leases.lock_lane(connection, "main")
    assert office.log == [None]


def silent_for_a_day(office: Office) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with office.engine.begin() as connection:
        connection.execute(update(tables.server).values(seen=long_ago))
        connection.execute(update(tables.lease).values(expires=long_ago))


def begun_elsewhere(office: Office) -> Lease:
    now = office.clock.now()
    with office.engine.begin() as connection:
        server = {"id": 99, "host": "elsewhere", "process": 1, "process_started": 0, "started": now, "seen": now}
        connection.execute(tables.server.insert().values(**server, locked=False))
        log.begin(connection, "Upgrade.first", now)
        lease = Lease("a-run", f"{log.KEY}Upgrade.first", "main", 99, 1)
        leases.take(database_of(office.engine, aw.Settings()), connection, lease)
    return lease


def test_two_servers_that_start_at_one_moment_run_it_once(office: Office) -> None:
    """The second one comes when the first has noted the action and not yet committed it."""
    upgrade(office, "first", "second")
    office.open()
    ran: list[Any] = []

    def second_server(event: Any) -> None:
        if event == Reached("ran", "Upgrade.first") and not ran:
            ran.append("begun")
            other = aw.Afterwork(
                office.base, clock=office.clock, settings=aw.Settings(lock_limit=timedelta(seconds=0.1))
            )
            if office.engine.dialect.name == "postgresql":
                ran.extend(other.run_until_idle(office.engine))

    app = aw.Afterwork(office.base, clock=office.clock, on_event=second_server)
    assert len(app.run_until_idle(office.engine)) == 2
    assert (ran, office.log) == (["begun"], ["first", "second"])


@pytest.mark.parametrize("writes", [False, True])
def test_an_external_action_ends_well_though_others_are_in_the_way_of_its_end(office: Office, writes: bool) -> None:
    """It runs once: only its end is written anew. On PostgreSQL, changes that were refused can't be sent again."""
    is_file = office.engine.dialect.name == "sqlite"
    if writes and not is_file:
        pytest.skip("its changes come before the row that others have, and are refused with it")
    others: Connection

    def work(self: Any) -> str:
        office.log.append("work")
        if writes:
            aw.session(self).add(office.task(id=100))
        others.execution_options(isolation_level="AUTOCOMMIT")
        others.exec_driver_sql("BEGIN IMMEDIATE" if is_file else "BEGIN")
        others.exec_driver_sql("SELECT * FROM afterwork_once" + ("" if is_file else " FOR UPDATE"))
        return "done elsewhere"

    def give_way(event: Event) -> None:
        if isinstance(event, InTheWay | Failed) and not others.closed:
            others.exec_driver_sql("ROLLBACK")
            others.close()

    office.timer("Upgrade", root=False, when=aw.Once(), work=aw.action(work), external=True)
    office.open()
    others = office.engine.connect()
    app = office.app
    app.settings = replace(app.settings, lock_limit=timedelta(milliseconds=200))
    app.events = app.events.also(give_way)

    app.run_until_idle(office.engine)

    (one,) = app.insight(office.engine).once()
    assert (one.state, one.result, office.log) == ("done", "done elsewhere", ["work"])
    assert tasks(office) == writes
