"""`--json` on each command that prints: one document, with the keys of the API where the API has the same."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.cli import main, printing
from afterwork.derived.explain.readers import Reader
from afterwork.insight import FailureGroup, OnceView
from examples import shop
from tests.support.command_line import APP, ROOT, run, told
from tests.web.browser import scenes
from tests.web.conftest import client_of

PRINTED: dict[str, list[str]] = {
    "install": [],
    "check": [],
    "status": [],
    "history": [],
    "failures": [],
    "works": [],
    "work": ["Customer.assign_number"],
    "graph": [],
    "tickets": [],
    "ticket": ["1"],
    "retry": ["1"],
    "run": ["ExportOrder", "--dry"],
    "cancel": ["ExportOrder"],
    "timers": [],
    "lanes": [],
    "pause": ["orders"],
    "resume": ["orders"],
    "machines": [],
    "model": [],
    "once": [],
    "caches": [],
    "explain": ["Customer!2", "total"],
    "impact": ["Customer!2", "name"],
    "verify": [],
    "recompute": ["Customer!2", "total"],
    "eval": ["Customer.allInstances->size"],
    "reload": [],
}
"""Each command that prints a result, with arguments after the application."""

OTHERS = {"serve", "demo", "shell", "drain", "uninstall"}
"""Commands that are programs, or that the scene of these tests can't be asked for."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('json') / 'shop.db'}")
    shop.create(made)
    shop.app.install(made)
    scenes.busy(made)
    yield made
    made.dispose()


def printed(engine: Engine, command: str, *arguments: str) -> Any:
    needed = [] if command == "model" else ["--database", str(engine.url)]
    ended = run(command, APP, *arguments, *needed, "--json")
    said = told(ended, 1 if command == "verify" else 0)  # verify: nobody has looked at some changes
    assert "\x1b" not in said
    return json.loads(said, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_each_command_that_prints_is_tried_here() -> None:
    assert PRINTED.keys() | OTHERS == main.commands.keys()


@pytest.mark.parametrize("command", sorted(PRINTED))
def test_each_command_that_prints_prints_one_document(command: str, engine: Engine) -> None:
    assert printed(engine, command, *PRINTED[command]) is not None


@pytest.mark.parametrize("command", sorted(OTHERS))
def test_the_others_that_print_have_the_option_as_well(command: str) -> None:
    assert "--json" in told(run(command, "--help"))


SAME = {
    "ticket": (["1"], "/api/tickets/1"),
    "timers": ([], "/api/timers"),
    "lanes": ([], "/api/lanes"),
    "machines": ([], "/api/machines"),
    "model": ([], "/api/model"),
    "caches": ([], "/api/caches"),
    "explain": (["Customer!2", "total"], "/api/explain?root=Customer!2&cache=total"),
    "works": (["--span", "day"], "/api/works?span=day"),
    "work": (["Order.total"], "/api/works/Order.total"),
    "graph": ([], "/api/graph"),
    "impact": (["OrderLine!1", "quantity"], "/api/impact?root=OrderLine!1&member=quantity"),
}


@pytest.mark.parametrize("command", sorted(SAME))
def test_what_the_api_has_too_has_the_same_keys(command: str, engine: Engine) -> None:
    arguments, path = SAME[command]
    answer = client_of(aw.web(shop.app, engine)).get(path)
    assert answer.status_code == 200, answer.text

    assert keys(printed(engine, command, *arguments)) == keys(answer.json())


def test_tickets_findings_and_the_overview_have_the_keys_of_the_api(engine: Engine) -> None:
    client: TestClient = client_of(aw.web(shop.app, engine))

    assert keys(printed(engine, "tickets")) == keys(client.get("/api/tickets?most=20").json()["tickets"])
    assert keys(printed(engine, "check")["findings"]) == keys(client.get("/api/check").json())
    overview = client.get("/api/overview").json()
    status = overview.pop("status")
    assert keys(printed(engine, "status")) == keys({**overview, **status})
    dry = client.get("/api/timers/ExportOrder/dry-run").json()
    assert printed(engine, "run", "ExportOrder", "--dry") == {"timer": "ExportOrder", **dry}


def keys(data: Any, before: str = "") -> set[str]:
    """The keys in a document, each with those above it."""
    match data:
        case dict():
            own = {f"{before}{key}" for key in data}
            return own.union(*(keys(value, f"{before}{key}.") for key, value in data.items()))
        case list():
            return set().union(*(keys(value, before) for value in data))
        case _:
            return set()


def documented() -> dict[str, list[str]]:
    """The keys of each command's document, as the page on the command line lists them."""
    page = (ROOT / "docs" / "howto" / "command-line.md").read_text().partition("## JSON")[2]
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    return {command.strip(): re.findall(r"`(\w+)`", told.partition(":")[0]) for command, told in rows}


LISTED = {"once": OnceView, "impact": Reader, "failures": FailureGroup}
"""The elements of lists that are empty here."""


@pytest.mark.parametrize("command", sorted(PRINTED.keys() - {"run", "cancel", "pause", "resume", "install", "eval"}))
def test_the_keys_of_a_document_are_documented(command: str, engine: Engine) -> None:
    row = next(row for row in documented() if f"`{command}`" in row)
    found = printed(engine, command, *PRINTED[command])
    listed = [field.name for field in fields(LISTED[command])] if command in LISTED else None

    assert documented()[row] == (listed or list(found[0] if isinstance(found, list) else found))


def test_the_keys_of_the_other_documents_are_documented(engine: Engine) -> None:
    page = (ROOT / "docs" / "howto" / "command-line.md").read_text()
    for command, *arguments in (
        ["run", "ExportOrder"],
        ["run", "ExportOrder", "--dry"],
        ["cancel", "ExportOrder"],
        ["install"],
        ["install", "--sql"],
        ["caches", "Customer.total"],
    ):
        keys_ = ", ".join(f"`{key}`" for key in printed(engine, command, *arguments))
        assert keys_ in page, f"{command} {arguments}"


def test_a_cancelled_round_has_the_keys_of_the_api(engine: Engine) -> None:
    answer = client_of(aw.web(shop.app, engine)).post("/api/timers/ExportOrder/cancel")

    assert printed(engine, "cancel", "ExportOrder").keys() == answer.json().keys() | {"timer"}


def test_a_status_that_is_watched_prints_a_line_each_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([None, None])

    def pause(seconds: float) -> None:
        if next(looks, "end") == "end":
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)

    lines = told(run("status", APP, "--database", str(engine.url), "--watch", "0.1", "--json")).splitlines()

    assert [set(json.loads(line)) >= {"waiting", "servers", "attention"} for line in lines] == [True, True, True]


def test_a_database_that_is_gone_ends_no_watch_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "empty.db"
    create_engine(f"sqlite:///{file}").connect().close()

    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    ended = run("status", APP, "--database", f"sqlite:///{file}", "--watch", "0.1", "--json")

    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "has no tables of Afterwork" in ended.stderr


def test_a_shell_prints_values_and_nothing_else(engine: Engine) -> None:
    ended = CliRunner().invoke(
        main,
        ["shell", APP, "--database", str(engine.url), "--json"],
        input="1 + 1\nCustomer.allInstances->select(name = 'Ann 1').name\n:help\nnonsense(\n",
    )

    assert [json.loads(line) for line in ended.stdout.splitlines()] == [2, ["Ann 1"]]
    assert ended.stderr


def test_numbers_that_json_has_not_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_result("", {"a": float("nan"), "b": [float("inf"), 1.5], 3: {"x"}}, True)

    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "3": ["x"]}
