"""Celery beside Afterwork, each as it is started, with a broker in a file."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from examples.frameworks.celery_app import Base, Order, SysAsyncTicket, work
from tests.support.databases import url
from tests.support.processes import ROOT
from tests.support.waiting import eventually

__all__ = ["url"]


@pytest.fixture
def environment(engine: Engine, tmp_path: Path) -> dict[str, str]:
    """The environment of the programs: a database that is installed, and a broker."""
    Base.metadata.create_all(engine)
    work.install(engine)
    return os.environ | {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "CELERY_BROKER_URL": f"sqla+sqlite:///{tmp_path / 'broker.db'}",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python as long as the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def both(environment: dict[str, str]) -> Iterator[None]:
    """A worker of Celery and a server, side by side."""
    worker = ["celery", "-A", "examples.frameworks.celery_app", "worker", "--concurrency", "1", "--without-mingle"]
    serve = ["afterwork", "serve", "examples.frameworks.celery_app:work", "--database", environment["DATABASE_URL"]]
    with ExitStack() as stack:
        stack.enter_context(running(environment, *worker))
        stack.enter_context(running(environment, *serve))
        yield


def new_order(engine: Engine) -> int:
    with Session(engine) as session, session.begin():
        order = Order()
        session.add(order)
        session.flush()
        return order.id


def send(environment: dict[str, str], key: int) -> None:
    """Send a message, as a program that still uses Celery."""
    program = f"from examples.frameworks.celery_app import confirm; confirm.delay({key})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


def is_packed(engine: Engine, key: int) -> bool:
    with Session(engine) as session:
        return session.get_one(Order, key).packed


@pytest.mark.usefixtures("both")
def test_a_message_becomes_a_ticket_and_a_job_sends_a_message(engine: Engine, environment: dict[str, str]) -> None:
    old, new = new_order(engine), new_order(engine)
    send(environment, old)  # a caller that has not been changed yet
    with Session(engine) as session, session.begin():
        aw.later(session.get_one(Order, new).confirm)  # one that has

    for key in (old, new):
        eventually(lambda key=key: is_packed(engine, key))  # type: ignore[misc]
    with Session(engine) as session:
        asked = [(ticket.view_model, ticket.root_id, ticket.error) for ticket in session.query(SysAsyncTicket)]
    works = ("Order.confirm", "Order.hand_over")
    assert sorted(asked) == sorted((name, f"Order!{key}", None) for name in works for key in (old, new))
