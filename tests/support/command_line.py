"""Commands in a test's process, and the example that they are about."""

from collections.abc import Callable, Iterator
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
from tests.support.processes import Forks, Process, processes

ROOT = Path(__file__).resolve().parents[2]

APP = "examples.shop:app"

Afterwork = Callable[..., Result]

Serve = Callable[..., Process]


def run(*arguments: str, **environment: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(
        main, arguments, env={"AFTERWORK_APP": None, "AFTERWORK_DATABASE": None, **environment}, prog_name="afterwork"
    )


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
def serve(url: URL, the_forks: Forks, tmp_path: Path) -> Iterator[Serve]:
    """`afterwork serve` on a test's database, in processes that end with the test: `serve(APP, "--grace", "1")`."""
    with processes(the_forks, tmp_path, {"AFTERWORK_DATABASE": text_of(url)}) as started:

        def start(app: str, *options: str, folder: Path = ROOT) -> Process:
            return started.start("afterwork.cli", "serve", app, *options, folder=folder)

        yield start


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
