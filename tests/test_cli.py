"""The command line, as somebody meets it who types."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, update

from afterwork.store import tables
from examples import shop
from examples.shop import Customer
from tests.support.command_line import APP, Afterwork, afterwork, ann, ask, numbered, run, text_of, told
from tests.support.databases import url
from tests.support.marks import ONLY_POSTGRESQL

__all__ = ["afterwork", "ann", "url"]

# check


def test_check_without_a_database_shows_what_can_be_asked_for() -> None:
    said = told(run("check", APP))

    for name in ("Customer.assign_number", "TheCustomerNumberAssigner", "sys_async_ticket", "No database was given"):
        assert name in said


def test_check_shows_the_model_as_json_too() -> None:
    found = json.loads(told(run("check", APP, "--json")))

    assert found["findings"] is None
    assert {
        "name": "Order.assign_number",
        "root": "Order",
        "lane": "orders",
        "external": False,
        "attempts": 1,
    } in found["model"]["works"]


def test_check_says_what_to_do_about_a_database_that_is_not_installed(engine: Engine, afterwork: Afterwork) -> None:
    shop.create(engine)

    said = told(afterwork("check"), exit_code=1)

    assert "WRONG" in said
    assert "afterwork install" in said


def test_check_says_that_the_applications_own_tables_come_first(engine: Engine, afterwork: Afterwork) -> None:
    engine.connect().close()  # SQLite makes the file

    assert "Create the application's own tables first" in told(afterwork("check"), exit_code=1)


def test_that_no_server_runs_is_a_note_and_no_fault(ann: Customer, afterwork: Afterwork) -> None:
    said = told(afterwork("check"))

    assert "note   servers: none" in said
    assert "WRONG" not in said


# install


def test_install_says_what_it_did_and_that_nothing_is_left_to_do(engine: Engine, afterwork: Afterwork) -> None:
    shop.create(engine)

    assert "table afterwork_lease created" in told(afterwork("install"))
    assert json.loads(told(afterwork("install", "--json"))) == {"done": []}
    assert "Everything is installed already." in told(afterwork("install"))


def test_install_without_the_applications_tables_is_refused(engine: Engine, afterwork: Afterwork) -> None:
    engine.connect().close()

    assert "Create the application's own tables first" in told(afterwork("install"), exit_code=1)


# status and tickets


def test_status_counts_what_waits_in_each_lane(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    ask(engine, "Customer.assign_number", ann)
    ask(engine, "Customer.remind", ann, lane="mail")

    assert "1 in mail, 1 in main" in told(afterwork("status"))
    found = json.loads(told(afterwork("status", "--json")))
    assert found["waiting"] == {lane: {"number": 1, "or_more": False} for lane in ("mail", "main")}
    assert (found["running"], found["servers"], found["paused"]) == (0, [], [])


def test_status_of_a_shop_in_which_nothing_waits_says_so(ann: Customer, afterwork: Afterwork) -> None:
    assert "waiting  none" in told(afterwork("status"))


def test_tickets_are_shown_by_state(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    ask(engine, "Customer.remind", ann)
    ask(engine, "Customer.nonsense", ann)
    shop.app.run_until_idle(engine)
    ask(engine, "Customer.assign_number", ann)

    def shown(state: str) -> list[str]:
        return [ticket["work"] for ticket in json.loads(told(afterwork("tickets", "--state", state, "--json")))]

    assert shown("done") == ["Customer.remind"]
    assert shown("failed") == ["Customer.nonsense"]
    assert shown("pending") == ["Customer.assign_number"]
    said = told(afterwork("tickets"))
    assert "'Customer.nonsense' is no view model" in said
    assert len(said.splitlines()) == 4


def test_no_more_tickets_are_shown_than_wanted(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    for _ in range(3):
        ask(engine, "Customer.remind", ann)

    assert len(json.loads(told(afterwork("tickets", "--most", "2", "--json")))) == 2


def test_that_there_are_no_tickets_is_said(ann: Customer, afterwork: Afterwork) -> None:
    assert "There are no such tickets." in told(afterwork("tickets"))


def test_an_error_of_many_lines_takes_one_in_the_table(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    ask(engine, "Customer.remind", ann, error="first line\n" + "second line " * 100)

    assert len(told(afterwork("tickets")).splitlines()) == 2


# retry, pause, resume


def test_a_failed_ticket_can_be_tried_again(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    ask(engine, "Customer.assign_number", ann, error="It was Monday.")

    told(afterwork("retry", "1"))
    shop.app.run_until_idle(engine)

    assert numbered(engine) == 1


def test_a_ticket_that_is_not_there_cannot_be_tried_again(ann: Customer, afterwork: Afterwork) -> None:
    assert "4711: there is no such ticket" in told(afterwork("retry", "4711"), exit_code=1)


@pytest.mark.parametrize("key", ["no key", "1; DROP TABLE customer"])
def test_what_can_be_no_key_is_told_so(key: str, ann: Customer, afterwork: Afterwork) -> None:
    assert f"{key!r} can't be the key of a ticket." in told(afterwork("retry", key), exit_code=1)


def test_a_paused_lane_rests_until_it_is_resumed(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    ask(engine, "Customer.assign_number", ann)

    told(afterwork("pause", "main"))
    shop.app.run_until_idle(engine)
    assert numbered(engine) == 0
    assert "paused   main" in told(afterwork("status"))

    told(afterwork("resume", "main"))
    shop.app.run_until_idle(engine)
    assert numbered(engine) == 1


# What can't be meant.


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["check", "examples.shop"], "is not of the form MODULE:APP"),
        (["check", ":app"], "is not of the form MODULE:APP"),
        (["check", "nowhere.to.be.found:app"], "There is no module nowhere.to.be.found"),
        (["check", "examples.nowhere:app"], "There is no module examples.nowhere"),
        (["check", "exampels:app"], "Did you mean examples?"),
        (["tickets", APP, "--state", "faild", "--database", "sqlite://"], "Did you mean failed?"),
        (
            ["drain", APP, "x", "--database", "sqlite://"],
            "There is no server 'x'. Servers have numbers. They are listed by",
        ),
        (["check", "examples.shop:ap"], "Did you mean examples.shop:app?"),
        (["check", "examples.shop:Base"], "Did you mean examples.shop:app?"),
        (["check", "json:app"], "Put one there: app = aw.Afterwork(Base)"),
        (["check", APP, "--database", "shop"], "This is not the URL of a database"),
        (["check", APP, "--database", "mysql://host/shop"], "does not run on mysql://"),
        (["check", APP, "--database", "postgresql+asyncpg://host/shop"], "Give one like"),
        (["status", APP], "AFTERWORK_DATABASE"),
        (["serve", APP, "--database", "sqlite:///x", "--grace", "soon"], "'soon' is no number of seconds"),
        (["serve", APP, "--database", "sqlite:///x", "--lease", "-1"], "negative"),
        (["serve", APP, "--database", "sqlite:///x", "--workers", "0"], "--workers"),
        (["tickets", APP, "--database", "sqlite:///x", "--state", "odd"], "'pending', 'failed', 'done'"),
        (["retry", APP, "--database", "sqlite:///x"], "Name the tickets by their KEYs"),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_what_can_not_be_meant_ends_with_2_and_advice(arguments: list[str], advice: str) -> None:
    assert advice in told(run(*arguments), exit_code=2)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "nowhere.db"

    assert f"There is no file {file}" in told(run("status", APP, "--database", f"sqlite:///{file}"), exit_code=1)
    assert not file.exists()


def test_a_file_that_is_no_database_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "letter.db"
    file.write_text("Dear Ann, " * 1000)

    assert "file is not a database" in told(run("status", APP, "--database", f"sqlite:///{file}"), exit_code=1)


@pytest.mark.parametrize("command", ["status", "tickets", "serve", "pause", "retry"])
def test_a_database_that_is_not_installed_is_told_as_such(command: str, engine: Engine, afterwork: Afterwork) -> None:
    shop.create(engine)
    named = {"pause": ["main"], "retry": ["1"]}.get(command, [])

    if command == "tickets":  # they can be read all the same
        assert "no such tickets" in told(afterwork(command))
    else:
        assert "has no tables of Afterwork" in told(afterwork(command, *named), exit_code=1)


def test_a_database_of_a_newer_afterwork_is_told_as_such(engine: Engine, ann: Customer, afterwork: Afterwork) -> None:
    with engine.begin() as connection:
        connection.execute(
            update(tables.installation).where(tables.installation.c.name == "schema_version").values(value="99")
        )

    for command in ("status", "install", "serve"):
        assert "Upgrade the package afterwork" in told(afterwork(command), exit_code=1)


def test_a_server_that_can_not_be_reached_is_told_without_its_password() -> None:
    url = "postgresql+psycopg://ann:secret@127.0.0.1:1/shop"

    for command in ("status", "install"):
        said = told(run(command, APP, "--database", url), exit_code=1)
        assert "The database says: connection failed" in said
        assert "secret" not in said


@ONLY_POSTGRESQL
def test_a_server_is_told_that_its_database_does_not_let_it_in(url: URL) -> None:
    said = told(run("serve", APP, "--database", text_of(url.set(database="no_such", password="secret"))), exit_code=1)

    assert 'database "no_such" does not exist. Waiting would not help. See whether' in said
    assert "secret" not in said


@ONLY_POSTGRESQL
def test_the_usual_short_form_of_a_postgresql_url_is_understood(url: URL, ann: Customer) -> None:
    told(run("status", APP, "--database", text_of(url.set(drivername="postgresql"))))


def test_the_database_can_be_named_by_the_environment(url: URL, ann: Customer) -> None:
    told(run("status", APP, AFTERWORK_DATABASE=text_of(url)))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def app(: pass", "Importing broken raised SyntaxError"),
        (
            "import not_installed_here",
            "Importing broken raised ModuleNotFoundError: No module named 'not_installed_here'",
        ),
        ("1 / 0", "ZeroDivisionError: division by zero (broken.py:1"),
        ("import afterwork as aw; app = aw.Afterwork(object)", "is no declarative base"),
        (
            "import afterwork as aw\nfrom sqlalchemy.orm import DeclarativeBase\n"
            "class Base(DeclarativeBase): pass\napp = aw.Afterwork(Base)",
            "It has no class SysAsyncTicket",
        ),
    ],
)
def test_a_broken_application_is_told_in_one_message(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken", raising=False)

    assert said in told(run("check", "broken:app"), exit_code=1)
    sys.modules.pop("broken", None)


# demo


def test_demo_takes_the_options_of_the_demo() -> None:
    assert "--seed" in told(run("demo", "--help"))


def test_demo_without_what_it_needs_says_how_to_get_it(tmp_path: Path) -> None:
    source = "import sys; sys.modules['faker'] = None; from afterwork.cli import main; main(['demo'])"
    ended = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "pip install 'afterwork[demo]'" in ended.stderr


def test_demo_without_what_it_needs_has_help(tmp_path: Path) -> None:
    source = "import sys; sys.modules['faker'] = None; from afterwork.cli import main; main(['demo', '--help'])"
    ended = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Show a shop at work" in ended.stdout
    assert "pip install 'afterwork[demo]'. Then --help lists its options, too." in ended.stdout
