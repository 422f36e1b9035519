"""The examples run as the README says, and tell what they should."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.orm import Session

from examples.shop import Customer, Order, SysAsyncTicket, create, later, numbers, post_office
from examples.shop.demo.look import faults
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, exit_code: int = 0) -> str:
    """What a Python program says."""
    ended = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == exit_code, ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("how", [["examples/shop/numbers.py"], ["-m", "examples.shop.numbers"]])
def test_the_story_of_numbers_runs_by_path_and_as_a_module(how: list[str]) -> None:
    said = run(*how)

    assert "Ann has number (none yet)" in said
    assert "Ann has number 1, with order number 1" in said
    assert "Eve has number 3" in said


@pytest.mark.parametrize("how", [["examples/shop/later.py"], ["-m", "examples.shop.later"]])
def test_the_story_of_later_runs_by_path_and_as_a_module(how: list[str]) -> None:
    said = run(*how)

    for line in ("ticket 4, and ticket 4", "letters sent: 1", "Customer!4711 is not there"):
        assert line in said


def test_the_story_of_numbers_is_the_same_on_each_database(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    numbers.main(engine)

    assert "Ann has number 1, with order number 1" in capsys.readouterr().out


def test_the_story_of_later_is_the_same_on_each_database(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_office, "sent", {})

    later.main(engine)

    said = capsys.readouterr().out
    assert said.count("Customer.remind on Customer!1 is done") == 1
    assert "attempt 2 raised PostOfficeClosed" in said
    assert "letters sent: 1" in said
    assert "receipts of it: 1" in said
    assert "receipts of it: 0" in said
    assert "The precondition of Customer.assign_number is false." in said


def test_the_demo_numbers_all_and_leaves_nothing_behind(url: URL) -> None:
    said = run("-m", "examples.shop.demo", "--seconds", "3", "--database", url.render_as_string(hide_password=False))

    assert "no gap, no double" in said
    assert "WRONG" not in said
    assert "log says" not in said
    assert tables_left(url) == 0


def tables_left(url: URL) -> int:
    if url.get_backend_name() == "sqlite":
        return 0  # a file that was named stays, to be looked at
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM pg_class WHERE relname LIKE '%ticket%'")).scalar_one()
    engine.dispose()
    return int(count)


def test_the_demo_ends_its_server_and_leaves_nothing_behind_when_it_is_stopped(url: URL) -> None:
    demo = [sys.executable, "-u", "-m", "examples.shop.demo", "--seconds", "60", "--plain"]
    command = [*demo, "--database", url.render_as_string(hide_password=False)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    server = 0
    for line in process.stdout:
        if line.startswith("Its server is process"):
            server = int(line.split()[4].rstrip("."))
        if "numbered" in line:
            break
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Stopped before the end." in said
    eventually(lambda: not Path(f"/proc/{server}").exists())
    assert tables_left(url) == 0


def test_the_demo_does_not_touch_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "precious.db"
    file.write_text("precious")

    said = run("-m", "examples.shop.demo", "--seconds", "1", "--database", f"sqlite:///{file}", exit_code=2)

    assert "is there already" in said
    assert file.read_text() == "precious"


def test_the_demo_tells_of_gaps_doubles_failures_and_of_what_is_left_undone(engine: Engine) -> None:
    create(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Customer(name="Ann", number=1), Customer(name="Bob", number=1)])
        session.add_all([Order(customer_id=1, number=1), Order(customer_id=1, number=3)])
        session.add_all(
            [
                SysAsyncTicket(view_model="Customer.remind"),
                SysAsyncTicket(view_model="Customer.remind", error="It was Monday."),
            ]
        )

    customers, orders, failed, left = faults(engine)

    assert customers == "Customer: 2 of them have 1 different numbers from 1 to 1."
    assert orders == "Order: 2 of them have 2 different numbers from 1 to 3."
    assert failed == "Tickets: 1 have failed. One of them says: It was Monday."
    assert left == "Tickets: 1 have not ended."
