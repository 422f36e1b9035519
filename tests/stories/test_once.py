"""Once per database: what an upgrade must do to the data runs before all else, and never again."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli import main
from afterwork.errors import BadDeclaration, BadRequest, ModelError
from afterwork.events import Event, Failed, InTheWay, Reached
from afterwork.store import leases, tables
from afterwork.store import once as log
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from tests.support.office import Office, an_office
from tests.support.waiting import eventually
from tests.support.world import statements

KINDS = pytest.mark.parametrize("external", [False, True], ids=["inside", "external"])


@pytest.fixture
def office(engine: Engine) -> Office:
    return an_office(engine)


def upgrade(office: Office, *names: str, broken: Any = (), **parts: Any) -> None:
    """A view model Upgrade whose actions are written down, and each add a task of its own; some then raise."""

    def step(number: int, name: str) -> Any:
        def run(self: Any) -> str:
            office.log.append(name)
            aw.session(self).add(office.task(id=100 + number))
            if name in broken:
                raise ValueError(f"{name} is broken")
            return f"{name} went well"

        run.__name__ = name
        return aw.action(run)

    actions = {name: step(number, name) for number, name in enumerate(names)}
    office.timer("Upgrade", root=False, when=aw.Once(), **{"work": None, **parts, **actions})


def only_in_model(office: Office, *names: str, **parts: Any) -> None:
    """The same after another upgrade of the application: the former view model is gone."""
    office.kept[-1].when = None  # type: ignore[attr-defined]
    office.kept[-1].model = object()  # type: ignore[attr-defined]
    upgrade(office, *names, **parts)


def tasks(office: Office) -> int:
    found: int = office.sql("SELECT count(*) FROM task")
    return found


@KINDS
def test_each_action_runs_once_from_top_to_bottom_with_its_effects_and_what_it_returned(
    office: Office, external: bool
) -> None:
    upgrade(office, "second", "first", external=external)
    office.open()

    assert office.run() == [("Upgrade.second", None, True), ("Upgrade.first", None, True)]
    assert office.run() == []
    assert (office.log, tasks(office)) == (["second", "first"], 2)
    assert [(one.name, one.state, one.result) for one in office.app.insight(office.engine).once()] == [
        ("Upgrade.second", "done", "second went well"),
        ("Upgrade.first", "done", "first went well"),
    ]


def test_an_action_that_is_added_later_runs_then(office: Office) -> None:
    upgrade(office, "first")
    office.open()
    office.run()

    only_in_model(office, "first", "added")

    assert office.run() == [("Upgrade.added", None, True)]


@KINDS
def test_after_an_action_that_failed_nothing_below_it_runs_until_a_person_lets_it(
    office: Office, external: bool
) -> None:
    broken = ["second"]
    upgrade(office, "first", "second", "third", broken=broken, external=external)
    office.open()

    assert office.run() == [("Upgrade.first", None, True), ("Upgrade.second", None, False)]
    assert office.run(timedelta(days=1)) == []
    first, second, third = office.app.insight(office.engine).once()
    assert (first.state, second.state, third.state) == ("done", "failed", "waiting")
    assert str(second.error).startswith("ValueError: second is broken")
    assert third.waits_for == "Upgrade.second"
    assert tasks(office) == 1  # of what failed, nothing is saved

    broken.clear()
    office.app.control(office.engine).retry_once("Upgrade.second")

    assert office.run() == [("Upgrade.second", None, True), ("Upgrade.third", None, True)]
    assert tasks(office) == 3


def test_only_what_has_failed_can_be_allowed_again(office: Office) -> None:
    upgrade(office, "first")
    office.open()
    office.run()

    for name in ("Upgrade.first", "Upgrade.frist"):
        with pytest.raises(BadRequest, match="is no action that runs once and has failed"):
            office.app.control(office.engine).retry_once(name)
    assert office.run() == []


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


@KINDS
def test_on_exception_is_told_and_what_it_does_is_kept(office: Office, external: bool) -> None:
    def failed(self: Any, error: Exception) -> None:
        office.log.append(self.error_text.partition(":")[0])
        aw.session(self).add(office.task(id=7))

    upgrade(office, "first", broken=["first"], failed=aw.on_exception(failed), external=external)
    office.open()
    office.run()

    assert office.log == ["first", "ValueError"]
    assert office.sql("SELECT id FROM task") == 7


def test_an_action_that_is_not_enabled_is_noted_as_skipped(office: Office) -> None:
    def run(self: Any) -> None:
        office.log.append("ran")

    action = aw.action(enabled=lambda self: False)(run)
    office.timer("Upgrade", root=False, when=aw.Once(), work=action)
    office.open()
    office.run()

    (one,) = office.app.insight(office.engine).once()
    assert (office.log, one.state, one.result) == ([], "done", "skipped: it was not enabled")


def test_it_has_the_variables_of_the_server(engine: Engine) -> None:
    office = an_office(engine, site="shop.example")
    office.timer(
        "Upgrade",
        root=False,
        when=aw.Once(),
        site=aw.variable(),
        work=aw.action(lambda self: office.log.append(self.site)),
    )
    office.open()
    office.run()

    assert office.log == ["shop.example"]


def test_an_action_that_ends_its_transaction_has_failed(office: Office) -> None:
    def run(self: Any) -> None:
        aw.session(self).connection().rollback()
        aw.session(self).add(office.task(id=1))

    office.timer("Upgrade", root=False, when=aw.Once(), work=aw.action(run))
    office.open()

    assert office.run() == [("Upgrade.work", None, False)]
    assert (office.run(), tasks(office)) == ([], 0)


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
        connection.execute(
            text(
                "INSERT INTO afterwork_server (id, host, process, process_started, started, seen, locked) "
                "VALUES (99, 'elsewhere', 1, 0, :now, :now, false)"
            ),
            {"now": now.replace(tzinfo=None) if office.engine.dialect.name == "sqlite" else now},
        )
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


def test_a_ticket_can_not_ask_for_it(office: Office) -> None:
    upgrade(office, "first")
    office.open()
    office.run()
    with Session(office.engine) as session, session.begin():
        session.add(office.kept[0](view_model="Upgrade"))

    assert office.run() == [("Upgrade", None, False)]
    assert office.log == ["first"]
    assert "runs once per database (aw.Once)" in office.sql("SELECT error FROM sys_async_ticket")


def test_a_root_or_a_retry_or_a_method_is_refused(office: Office) -> None:
    office.timer("Rooted", when=aw.Once())
    office.timer("Stubborn", root=False, when=aw.Once(), retry=aw.Retry(attempts=3))

    with pytest.raises(ModelError) as caught:
        _ = office.app.model

    assert "Rooted has when = aw.Once() and a root class." in str(caught.value)
    assert "Stubborn has when = aw.Once() and a retry." in str(caught.value)
    with pytest.raises(BadDeclaration, match=r"A method has a timer there, aw\.Every or aw\.Cron"):
        aw.method(when=aw.Once())(lambda self: None)  # type: ignore[call-overload]


def test_check_tells_of_what_has_failed(office: Office) -> None:
    upgrade(office, "first", broken=["first"])
    office.open()
    office.run()

    (fault,) = [one for one in office.app.insight(office.engine).check() if one.is_fault]

    assert fault.what == "Upgrade.first, which runs once, has failed"
    assert "--retry Upgrade.first" in fault.advice


MODULE = """
from sqlalchemy.orm import DeclarativeBase
import afterwork as aw

class Base(DeclarativeBase): ...

class SysAsyncTicket(aw.AsyncTicket, Base): ...

class Upgrade(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def fill(self) -> None:
        raise ValueError("no")

    @aw.action
    def tidy(self) -> None: ...

app = aw.Afterwork(Base)
"""


def test_the_command_line_shows_it_and_allows_what_failed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "upgraded.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import upgraded  # type: ignore[import-not-found]

    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(url)
    upgraded.Base.metadata.create_all(engine)
    upgraded.app.install(engine)
    upgraded.app.run_until_idle(engine)
    engine.dispose()

    def once(*more: str) -> str:
        return CliRunner().invoke(main, ["once", "upgraded:app", "--database", url, *more]).output

    assert "Upgrade.fill  failed" in once()
    assert "until Upgrade.fill has succeeded" in once()
    assert [one["state"] for one in json.loads(once("--json"))] == ["failed", "waiting"]
    assert "Upgrade.fill  waiting" in once("--retry", "Upgrade.fill")
    assert "has failed. Failed have: none." in once("--retry", "Upgrade.fill")


@KINDS
def test_others_see_how_far_an_action_is(office: Office, external: bool) -> None:
    def work(self: Any) -> None:
        aw.progress(4, 10)
        (one,) = office.app.insight(office.engine).once()
        office.log.append(None if one.said is None else (one.said.done, one.said.total))

    office.timer("Upgrade", root=False, when=aw.Once(), work=aw.action(work), external=external)
    office.open()
    office.run()

    assert office.log == [(4, 10) if external or office.engine.dialect.name == "postgresql" else None]


def test_an_action_that_has_lost_a_connection_of_its_own_has_failed(office: Office) -> None:
    """A bare error of the driver says nothing of the server's database."""

    def work(self: Any) -> None:
        raise office.engine.dialect.loaded_dbapi.OperationalError("another database")

    office.timer("Upgrade", root=False, when=aw.Once(), work=aw.action(work))
    office.open()

    assert office.run() == [("Upgrade.work", None, False)]
    (one,) = office.app.insight(office.engine).once()
    assert "another database" in str(one.error)


def test_an_action_that_is_added_between_others_runs_and_those_that_have_run_do_not(office: Office) -> None:
    upgrade(office, "first", "third")
    office.open()
    office.run()

    # Its tasks are others than those that are there.
    office.sql("DELETE FROM task")
    only_in_model(office, "first", "second", "third", "fourth")

    assert office.run() == [("Upgrade.second", None, True), ("Upgrade.fourth", None, True)]


@pytest.mark.parametrize("writes", [False, True])
def test_an_external_action_ends_well_though_others_are_in_the_way_of_its_end(office: Office, writes: bool) -> None:
    """It runs once: only its end is written anew. On PostgreSQL, changes that were refused can't be sent again."""
    is_file = office.engine.dialect.name == "sqlite"
    if writes and not is_file:
        pytest.skip("its changes come before the row that others have, and are refused with it")
    others = office.engine.connect()

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
    app = office.app
    app.settings = replace(app.settings, lock_limit=timedelta(milliseconds=200))
    app.events = app.events.also(give_way)

    app.run_until_idle(office.engine)

    (one,) = app.insight(office.engine).once()
    assert (one.state, one.result, office.log) == ("done", "done elsewhere", ["work"])
    assert tasks(office) == writes
