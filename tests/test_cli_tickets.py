"""The command line on tickets and lanes: what is searched, shown, retried, run and cancelled."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli import main
from examples import shop
from examples.shop import Customer, SysAsyncTicket
from tests.support.databases import url
from tests.support.prepared import begin_with

__all__ = ["url"]

Afterwork = Callable[..., Result]


def three_tickets(engine: Engine) -> None:
    """Of three tickets, 1 has failed, 2 waits, 3 waits for a moment."""
    shop.create(engine)
    shop.app.install(engine)
    with Session(engine) as session, session.begin():
        ann = Customer(name="Ann")
        session.add(ann)
        session.flush()
        root = aw.external_id(ann)
        session.add(SysAsyncTicket(view_model="Customer.nonsense", root_id=root))
    shop.app.run_until_idle(engine)
    with Session(engine) as session, session.begin():
        ann = session.get_one(Customer, 1)
        aw.later(ann.assign_number)
        session.flush()
        aw.later(ann.assign_number, after=timedelta(hours=1))


@pytest.fixture
def afterwork(engine: Engine) -> Afterwork:
    """A command about a shop with three tickets."""
    begin_with(engine, three_tickets)

    def ask(command: str, *others: str) -> Result:
        arguments = [command, "examples.shop:app", *others, "--database", str(engine.url)]
        return CliRunner().invoke(main, arguments, prog_name="afterwork")

    return ask


def keys(result: Result) -> list[str]:
    return [ticket["key"] for ticket in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--search", 'root:Customer "no view model"'], ["1"]),
        (["--work", "assign", "--state", "pending"], ["2", "3"]),
        (["--state", "scheduled"], ["3"]),
        (["--root", "Customer!2"], []),
        (["--after", "2"], ["1"]),
    ],
)
def test_tickets_are_searched(afterwork: Afterwork, options: list[str], expected: list[str]) -> None:
    assert keys(afterwork("tickets", *options, "--json")) == expected


def test_a_full_page_says_how_to_go_on(afterwork: Afterwork) -> None:
    assert afterwork("tickets", "--most", "1").stdout.endswith("To go on: --after 3\n")


def test_what_can_not_be_searched_for_is_told(afterwork: Afterwork) -> None:
    result = afterwork("tickets", "--search", "job:x")

    assert result.exit_code == 1
    assert "Nothing can be searched by 'job:', only by work:" in result.output


def test_one_ticket_tells_its_story(afterwork: Afterwork) -> None:
    said = afterwork("ticket", "1").stdout

    assert said.startswith("Customer.nonsense on Customer!1  failed\n")
    assert "UTC  created\n" in said
    assert "is no view model, no method and no job function of this model" in said
    assert "No server is running." in afterwork("ticket", "2").stdout
    assert json.loads(afterwork("ticket", "3", "--json").stdout)["ticket"]["state"] == "scheduled"
    assert "There is no ticket '4711'." in afterwork("ticket", "4711").output


def test_tickets_are_retried_run_and_cancelled_by_their_keys(afterwork: Afterwork) -> None:
    assert afterwork("retry", "1").stdout == "1 ticket retried.\n"
    assert afterwork("run", "3", "2").stdout == "1 ticket made due, 1 left alone.\n  2: it is due already\n"
    assert afterwork("cancel", "1", "2", "3", "4711").stdout == (
        "3 tickets cancelled, 1 left alone.\n  4711: there is no such ticket\n"
    )
    assert keys(afterwork("tickets", "--error", "before it began", "--json")) == ["3", "2", "1"]


def test_all_that_match_are_meant_only_if_that_is_said(afterwork: Afterwork) -> None:
    for command in (["cancel"], ["cancel", "--work", "assign"], ["cancel", "2", "--all-matching"]):
        result = afterwork(*command)
        assert result.exit_code == 2
        assert "Name the tickets by their KEYs, or give --all-matching" in result.output
    assert "need no filter" in afterwork("cancel", "2", "--work", "assign").output

    assert afterwork("cancel", "--all-matching", "--work", "assign").stdout == "2 tickets cancelled.\n"
    assert json.loads(afterwork("retry", "--all-matching", "--most", "2", "--json").stdout) == {
        "changed": 2, "asked_to_stop": 0, "left_alone": 0, "named": [], "has_more": True,
    }  # fmt: skip


def test_an_act_that_changed_nothing_that_was_named_ends_with_1(afterwork: Afterwork) -> None:
    assert afterwork("run", "2").exit_code == 1
    assert afterwork("run", "--all-matching", "--error", "nothing").exit_code == 0


def test_what_is_neither_a_timer_nor_a_key_is_told(afterwork: Afterwork) -> None:
    result = afterwork("cancel", "ExportOdrer")

    assert result.exit_code == 1
    assert "The model has no timer 'ExportOdrer'. It has: " in result.output
    assert "can't be the key of a ticket" in result.output
    assert "ExportOrder is a timer. Name one timer" in afterwork("cancel", "ExportOrder", "2").output
    assert "--dry is for timers" in afterwork("run", "2", "--dry").output


def test_lanes_and_servers_are_shown(afterwork: Afterwork) -> None:
    afterwork("pause", "main")

    said = afterwork("lanes").stdout

    assert "No server is running." in said
    main_lane = next(line for line in said.splitlines() if line.startswith("main "))
    assert "paused" in main_lane
    (lane,) = [one for one in json.loads(afterwork("lanes", "--json").stdout)["lanes"] if one["name"] == "main"]
    assert (lane["paused"], lane["waiting"]["number"], lane["scheduled"]["number"]) == (True, 1, 1)


def test_a_ticket_is_shown_with_its_flow(afterwork: Afterwork, engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        waiting = session.get_one(SysAsyncTicket, 2)
        aw.after([waiting], session.get_one(Customer, 1).assign_number)

    said = afterwork("ticket", "4").stdout

    assert "It waits for 1 of 1 tickets. If one of them does not end well, it is cancelled." in said
    assert "flow:\n  2  Customer.assign_number Customer!1  waiting\n  └─ 4  Customer.assign_number" in said
    assert keys(afterwork("tickets", "--state", "awaiting", "--json")) == ["4"]
