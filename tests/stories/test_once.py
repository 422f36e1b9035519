"""Once per database: what an upgrade must do to the data runs before all else, and never again."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli import main
from afterwork.errors import BadDeclaration, BadRequest, ModelError
from tests.stories.once_scene import KINDS, only_in_model, tasks, upgrade
from tests.support.office import Office, an_office


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
