"""The command line on state machines: machines, explain, check."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL, Engine, text
from sqlalchemy.orm import Session

import examples.shop
from afterwork.cli import main
from examples.shop.model import Customer, Order, create
from tests.support.databases import url
from tests.support.prepared import begin_with

__all__ = ["url"]

APP = "examples.shop:app"
Ask = Callable[..., Result]


def one_order_is_lost(engine: Engine) -> None:
    """A shop with two orders, one of which somebody has put into a state that there is not."""
    create(engine)
    examples.shop.app.install(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Order(id=1, customer=Customer(name="Ann")), Order(id=2, customer=Customer(name="Bo"))])
    examples.shop.app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE customer_order SET state = 'lost' WHERE id = 2"))


@pytest.fixture
def ask(url: URL, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A command about that shop."""
    begin_with(engine, one_order_is_lost)
    monkeypatch.chdir(tmp_path)
    address = url.render_as_string(hide_password=False)
    return lambda command, *arguments: CliRunner().invoke(main, [command, APP, *arguments, "--database", address])


def test_it_shows_where_objects_stand_and_what_would_move_them(ask: Ask) -> None:
    found = ask("machines")

    assert found.exit_code == 0, found.output
    lines = {line.split()[0]: line for line in found.output.splitlines() if line.strip()}
    assert "Order!1" in lines["cart"]
    assert "→ paid" in lines["cart"]
    assert "lost (not in the machine)" in found.output
    views = {view["name"]: view for view in json.loads(ask("machines", "--json").output)}
    counts = {state["state"]: state["count"]["number"] for state in views["Order.flow"]["states"]}
    assert (counts["cart"], counts["lost"], counts["paid"]) == (1, 1, 0)


@pytest.mark.parametrize("folder", [[], ["pictures"]])
def test_it_draws_each_machine(ask: Ask, folder: list[str], tmp_path: Path) -> None:
    found = ask("machines", "--svg", *folder)

    assert found.exit_code == 0, found.output
    picture = tmp_path.joinpath(*folder, "Order.flow.svg").read_text(encoding="utf-8")
    shown = [
        "".join(one.itertext()) for one in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "cart 1" in shown


def test_it_says_why_an_object_has_not_moved(ask: Ask) -> None:
    said = ask("explain", "Order!1", "flow").output

    assert "It stands in cart." in said
    assert "It would go to paid, but " in said
    assert "does not hold" in said


def test_check_finds_objects_in_states_that_are_gone(ask: Ask) -> None:
    found = ask("check")

    assert found.exit_code == 1
    assert "Order.flow: 1 objects are in 'lost', which the machine does not have" in found.output
