"""Names that nothing has are refused by each command: with the nearest one, and the command that lists them all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from examples import shop
from examples.shop import Customer
from tests.support.command_line import APP, ROOT, run, told
from tests.web.browser import scenes


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('names') / 'shop.db'}")
    shop.create(made)
    shop.app.install(made)
    scenes.busy(made)
    yield made
    made.dispose()


MISSPELT: list[tuple[list[str], str, str]] = [
    (["pause", "mial"], "Did you mean mail?", "afterwork lanes"),
    (["resume", "mian"], "Did you mean main?", "afterwork lanes"),
    (["pause", "ExprtOrder"], "Did you mean ExportOrder", "afterwork lanes"),
    (["run", "ExprtOrder"], "Did you mean ExportOrder", ""),
    (["run", "ExprtOrder", "--dry"], "Did you mean ExportOrder", ""),
    (["cancel", "ExprtOrder"], "Did you mean ExportOrder", ""),
    (["caches", "Custmer.total"], "Did you mean Customer.total", "afterwork caches"),
    (["explain", "Customer!2", "totl"], "Did you mean Customer.total?", "afterwork caches"),
    (["explain", "Custmer!2", "total"], "Did you mean Customer", "afterwork model"),
    (["recompute", "Customer!2", "Customer.totl"], "Did you mean Customer.total?", ""),
    (["recompute", "Custmer!2", "total"], "Did you mean Customer", "afterwork model"),
    (["impact", "Customer!2", "nam"], "Did you mean name", "afterwork model"),
    (["impact", "Custmer!2", "name"], "Did you mean Customer", "afterwork model"),
    (["eval", "Custmer.allInstances"], "Did you mean Customer", ""),
    (["eval", "self.nam", "--on", "Customer!2"], "Did you mean name", ""),
    (["eval", "self.name", "--on", "Custmer!2"], "Did you mean Customer", "afterwork model"),
    (["history", "--work", "Customer.asign_number"], "Did you mean Customer.assign_number", "afterwork model"),
    (["tickets", "--work", "asign_number"], "assign_number", "afterwork model"),
    (["tickets", "--lane", "mial"], "Did you mean mail?", "afterwork lanes"),
    (["tickets", "--root", "Custmer!2"], "Did you mean Customer", "afterwork model"),
    (["tickets", "--search", "lane:mial"], "Did you mean mail?", "afterwork lanes"),
    (["tickets", "--state", "faild"], "failed", ""),
    (["retry", "--all-matching", "--lane", "mial"], "Did you mean mail?", "afterwork lanes"),
    (["run", "--all-matching", "--root", "Custmer"], "Did you mean Customer", "afterwork model"),
    (["cancel", "--all-matching", "--work", "asign_numbr"], "assign_number", "afterwork model"),
    (["ticket", "4711"], "There is no ticket '4711'", "afterwork tickets"),
    (["retry", "4711"], "4711: there is no such ticket", "afterwork tickets"),
    (["cancel", "4711"], "4711: there is no such ticket", "afterwork tickets"),
    (["drain", "4711"], "There is no server 4711. There are: none.", "afterwork lanes"),
    (["once", "--retry", "Upgrade.fil"], "is no action that runs once and has failed", "afterwork once"),
    (["serve", "--only", "tickts"], "There are: tickets, timers, caches", ""),
    (["install", "--grant-to", "nobody_of_this_name"], "roles", ""),
]


@pytest.mark.parametrize(("words", "nearest", "lister"), MISSPELT, ids=[" ".join(words) for words, *_ in MISSPELT])
def test_a_name_that_nothing_has_is_refused_with_the_nearest(
    words: list[str], nearest: str, lister: str, engine: Engine
) -> None:
    command, *others = words
    ended = run(command, APP, *others, "--database", str(engine.url))

    said = " ".join(ended.output.split())
    assert ended.exit_code in (1, 2)
    assert nearest in said
    assert lister in said
    assert "Traceback" not in ended.output


def test_what_is_refused_changes_nothing(engine: Engine) -> None:
    told(run("pause", APP, "mial", "--database", str(engine.url)), exit_code=1)

    assert "mial" not in {lane.name for lane in shop.app.insight(engine).activity().lanes}


def test_a_lane_that_only_tickets_name_can_be_paused(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        aw.later(session.scalars(select(Customer)).first().remind, lane="tenant-7")  # type: ignore[union-attr]

    told(run("pause", APP, "tenant-7", "--database", str(engine.url)))
    told(run("resume", APP, "tenant-7", "--database", str(engine.url)))


def test_a_lane_that_the_application_declares_is_known_before_it_has_a_ticket(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop, "declaring", aw.Afterwork(shop.Base, lanes=[aw.Lane("tenant-8")]), raising=False)

    told(run("pause", "examples.shop:declaring", "tenant-8", "--database", str(engine.url)))
    told(run("resume", "examples.shop:declaring", "tenant-8", "--database", str(engine.url)))


def test_a_filter_that_matches_nothing_may_name_what_there_is(engine: Engine) -> None:
    for option, value in (("--lane", "main"), ("--root", "Product!1"), ("--work", "ExportOrder")):
        found = json.loads(
            told(run("tickets", APP, option, value, "--state", "running", "--database", str(engine.url), "--json"))
        )
        assert found == []
    assert "Nothing has run" in told(run("history", APP, "--work", "Order.flow.cancel", "--database", str(engine.url)))


@pytest.mark.parametrize("option", ["--lanes", "--except-lanes"])
def test_a_server_warns_of_a_lane_that_only_tickets_can_name(option: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    create_engine(url).connect().close()  # nothing is installed, so it ends at once

    command = [sys.executable, "-m", "afterwork", "serve", APP, "--database", url, option, "mian,main"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "the model declares no lane 'mian'" in ended.stderr
    assert "Did you mean main?" in ended.stderr
    assert ended.stderr.count("declares no lane") == 1
