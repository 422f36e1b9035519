"""Commands in a test's process, and the example that they are about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL, Engine, func, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli import main
from examples import shop
from examples.shop import Customer, SysAsyncTicket
from tests.support.prepared import begin_with

ROOT = Path(__file__).resolve().parents[2]

APP = "examples.shop:app"

Afterwork = Callable[..., Result]


def run(*arguments: str, **environment: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments, env={"AFTERWORK_DATABASE": None, **environment}, prog_name="afterwork")


def told(result: Result, exit_code: int = 0) -> str:
    """What a command has said, after a look at how it ended."""
    assert result.exit_code == exit_code, result.output
    assert "Traceback" not in result.output
    return result.stdout if exit_code == 0 else result.output


def text_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture
def afterwork(url: URL) -> Afterwork:
    """A command about the shop in a test's database: `afterwork("retry", "1")`."""
    return lambda command, *others: run(command, APP, *others, "--database", text_of(url))


@pytest.fixture
def ann(engine: Engine) -> Customer:
    """The first customer of an installed shop."""
    begin_with(engine, open_the_example)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        customer = Customer(name="Ann")
        session.add(customer)
    return customer


def open_the_example(engine: Engine) -> None:
    shop.create(engine)
    shop.app.install(engine)


def ask(engine: Engine, work: str, root: object, **values: Any) -> None:
    with Session(engine) as session, session.begin():
        session.add(SysAsyncTicket(view_model=work, root_id=aw.external_id(root), **values))


def numbered(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(Customer.number.is_not(None))) or 0
