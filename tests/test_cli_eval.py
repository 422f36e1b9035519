"""`afterwork eval` and `afterwork shell`: what the model says, asked in its own language."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

import examples.shop
from afterwork.cli import main, shell
from examples.shop.model import Customer, Order, create
from tests.support.databases import ON_BOTH, url
from tests.support.prepared import begin_with

__all__ = ["url"]

APP = "examples.shop:app"


def ann_has_an_order(engine: Engine) -> None:
    create(engine)
    examples.shop.app.install(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Customer(id=1, name="Ann", number=7, orders=[Order(id=5)]), Customer(id=2, name="Bo")])


@pytest.fixture
def address(url: URL, engine: Engine) -> str:
    begin_with(engine, ann_has_an_order)
    return url.render_as_string(hide_password=False)


def ask(address: str, command: str, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, [command, APP, *arguments, "--database", address], input=typed)


def test_an_expression_is_evaluated(address: str) -> None:
    assert ask(address, "eval", "Customer.allInstances->select(number->isNull)->size").output == "1\n"
    assert ask(address, "eval", "Customer.allInstances->orderBy(id)").output == "Customer!1\nCustomer!2\n"
    assert ask(address, "eval", "self.orders", "--on", "Customer!1").output == "Order!5\n"
    assert json.loads(ask(address, "eval", "self.number", "--on", "Customer!2", "--json").output) is None


def test_what_is_wrong_is_pointed_at(address: str) -> None:
    found = ask(address, "eval", "Customer.allInstances->select(nomber = 1)")

    assert found.exit_code == 1
    assert "Line 1, column 31: There is no nomber here" in found.output
    assert "Did you mean number" in found.output
    assert "^^^^^^" in found.output


@ON_BOTH
def test_nothing_can_be_changed(address: str) -> None:
    assert "This changes the model" in ask(address, "eval", "self.number := 3", "--on", "Customer!2").output
    assert ask(address, "eval", "self.number", "--on", "Customer!2").output == "null\n"


def test_a_shell_takes_one_expression_after_the_other(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "HISTORY", tmp_path / "history")
    typed = "Customer.allInstances->size\nself.name\n:on Customer!1\nself.name\n:on Customer!9\nself.name\n:quit\n"

    found = ask(address, "shell", typed=typed)

    assert found.exit_code == 0, found.output
    said = [line.removeprefix(shell.PROMPT) for line in found.output.replace(shell.PROMPT, "\n").split("\n")]
    assert [line for line in said if line in ("2", "Ann")] == ["2", "Ann", "Ann"]
    assert "There is no self here" in found.output
    assert "There is no Customer!9." in found.output
    assert (tmp_path / "history").exists()


def test_words_are_completed(address: str) -> None:
    completer = shell.Completer(examples.shop.app)

    assert "Customer" in completer.completions("Cus")
    assert completer.completions("Customer.allInst") == ["Customer.allInstances"]
    assert "self.orders" in completer.completions("self.ord")
    assert "self.orders->isEmpty" in completer.completions("self.orders->ise")
    assert completer.complete("self.ord", 99) is None
