"""The command line on who runs what: `serve --lanes …`, `serve --max-jobs …`, and `drain`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from examples import shop
from examples.shop import Customer, SysAsyncTicket
from tests.support.command_line import APP, ROOT, Serve, open_the_example, run, serve, text_of, told
from tests.support.databases import url
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.prepared import begin_with
from tests.support.waiting import eventually

__all__ = ["serve", "url"]


@pytest.fixture
def address(url: URL, engine: Engine) -> str:
    begin_with(engine, open_the_example)
    return text_of(url)


SOON = 60.0
"""Seconds in which a program starts, on a machine that has much to do."""


def ask(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        customer = Customer(name="Ann")
        session.add(customer)
        aw.later(customer.assign_number)


def ended(engine: Engine) -> int:
    with Session(engine) as session:
        return len(session.scalars(select(SysAsyncTicket).where(SysAsyncTicket.done.is_not(None))).all())


def test_a_server_begins_anew_after_so_many_jobs(engine: Engine, address: str) -> None:
    insight = shop.app.insight(engine)
    command = [sys.executable, "-m", "afterwork.cli", "serve", APP, "--database", address, "--max-jobs", "1"]
    program = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: insight.activity().servers, SOON)
        (first,) = insight.activity().servers
        ask(engine)
        eventually(lambda: ended(engine) == 1, SOON)
        eventually(lambda: {one.id for one in insight.activity().servers} - {first.id}, SOON)

        (server,) = insight.activity().servers
        assert server.process == program.pid  # as far as others can tell, the same
    finally:
        program.terminate()
        program.wait(30)


@ONLY_POSTGRESQL
def test_a_drained_server_leaves(engine: Engine, address: str, serve: Serve) -> None:
    process = serve(APP, "--lanes", "mail, main", "--only", "tickets,timers")
    eventually(lambda: shop.app.insight(engine).activity().servers, SOON)
    eventually(lambda: json.loads(told(run("lanes", APP, "--database", address, "--json")))["servers"][0]["knows"])
    (server,) = json.loads(told(run("lanes", APP, "--database", address, "--json")))["servers"]
    assert server["serves"] == {"lanes": ["mail", "main"], "except_lanes": [], "only": ["tickets", "timers"]}
    assert "lanes mail, main; only tickets, timers" in told(run("lanes", APP, "--database", address))

    said = told(run("drain", APP, str(server["id"]), "--database", address))

    assert said.strip() == f"Server {server['id']} begins nothing more, and leaves when its runs have ended."
    assert process.wait(30) == 0
    assert "stops as soon as its runs have ended: it was asked to leave" in process.output.read_text()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--only", "jobs"], "there is no 'jobs'. There are: tickets, timers, caches"),
        (["--lanes", "a", "--except-lanes", "b"], "Say one"),
        (["--lanes", ","], "It needs a name"),
        (["--max-memory", "much"], "'much' is no size. Give one like 800M or 2G"),
        (["--max-jobs", "0"], "0 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(tmp_path: Path, options: list[str], problem: str) -> None:
    result = run("serve", APP, "--database", f"sqlite:///{tmp_path / 'none.db'}", *options)

    assert result.exit_code == 2
    assert problem in result.output


@pytest.mark.parametrize(
    ("text", "expected"), [("800M", 800 * 2**20), ("1.5G", 3 * 2**29), ("100", 100), ("64 KiB", 2**16), ("2gb", 2**31)]
)
def test_sizes_are_read_as_people_write_them(text: str, expected: int) -> None:
    from afterwork.cli.arguments import size

    assert size(text) == expected
