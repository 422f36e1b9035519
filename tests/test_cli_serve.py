"""`afterwork serve`: how it begins, what it logs, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, func, select
from sqlalchemy.orm import Session

from afterwork.store import tables
from examples.shop import Customer
from tests.support.command_line import APP, ROOT, Serve, ann, ask, numbered, serve, text_of
from tests.support.databases import url
from tests.support.waiting import eventually

__all__ = ["ann", "serve", "url"]

SOON = 60.0
"""Seconds in which a program starts, on a machine that has much to do."""


@contextmanager
def program(url: URL, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """`afterwork serve` as somebody starts it."""
    command = [sys.executable, "-m", "afterwork.cli", "serve", APP]
    environment = {**os.environ, "AFTERWORK_DATABASE": text_of(url)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("url", "sign"), [("postgresql", signal.SIGTERM), ("sqlite", signal.SIGINT)], indirect=["url"])
def test_serve_runs_tickets_and_ends_well_when_told_to_stop(
    url: URL, engine: Engine, ann: Customer, sign: signal.Signals
) -> None:
    ask(engine, "Customer.assign_number", ann)
    with program(url) as process:
        eventually(lambda: numbered(engine) == 1, SOON)
        process.send_signal(sign)
        _, log = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "server 1 started" in log
    assert "server 1 stopped, unfinished runs: 0" in log


@contextmanager
def full_pipe() -> Iterator[int]:
    """A pipe that nobody reads, so that whoever writes to it waits for ever: as a terminal after Ctrl-S."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        yield writer
    finally:
        os.close(writer)
        os.close(reader)


def test_a_log_that_nobody_reads_holds_up_neither_runs_nor_the_end(url: URL, engine: Engine, ann: Customer) -> None:
    ask(engine, "Customer.assign_number", ann)
    with full_pipe() as writer, program(url, writer) as process:
        eventually(lambda: numbered(engine) == 1, SOON)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_serve_shows_each_run_when_it_is_asked_for_details(engine: Engine, ann: Customer, serve: Serve) -> None:
    ask(engine, "Customer.assign_number", ann)
    process = serve(APP, "--log-level", "debug", "--workers", "1", "--grace", "5", "--lease", "9")
    eventually(lambda: numbered(engine) == 1)
    process.send(signal.SIGTERM)

    assert process.wait(30) == 0
    assert "Customer.assign_number on Customer!1 done" in process.output.read_text()


@pytest.mark.parametrize("asked", [["--json"], ["--log", "json"]])
def test_serve_logs_objects_of_json_if_asked(engine: Engine, ann: Customer, serve: Serve, asked: list[str]) -> None:
    ask(engine, "Customer.assign_number", ann)
    process = serve(APP, "--log-level", "debug", *asked)
    eventually(lambda: numbered(engine) == 1)
    process.send(signal.SIGTERM)

    assert process.wait(30) == 0
    lines = [json.loads(line) for line in process.output.read_text().splitlines()]
    assert any(line["message"].startswith("Customer.assign_number on Customer!1 done") for line in lines)


SLOW = """
import time
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import afterwork as aw

class Base(DeclarativeBase):
    pass

class SysAsyncTicket(aw.AsyncTicket, Base):
    pass

class Sleeper(Base):
    __tablename__ = "sleeper"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method(external=True)
    def sleep(self) -> None:
        time.sleep(600)

app = aw.Afterwork(Base)
"""


def test_serve_ends_with_1_when_a_run_did_not_end_in_time(
    engine: Engine, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    import slow  # type: ignore[import-not-found]

    slow.Base.metadata.create_all(engine)
    slow.app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(slow.SysAsyncTicket(view_model="Sleeper.sleep", root_object=slow.Sleeper()))

    process = serve("slow:app", "--grace", "0.1", folder=tmp_path)
    eventually(lambda: leases(engine) == 1)
    process.send(signal.SIGTERM)

    assert process.wait(30) == 1
    assert "unfinished runs: 1" in process.output.read_text()


def leases(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(tables.lease)).scalar_one()
