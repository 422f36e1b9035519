"""The examples run as the README says, and tell what they should."""

import os
import random
import shlex
import signal
import subprocess
import sys
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import (
    Customer,
    Delivery,
    Order,
    OrderLine,
    Payment,
    Product,
    SysAsyncTicket,
    app,
    caches,
    create,
    later,
    numbers,
    post_office,
)
from examples.shop.demo import __main__ as demo
from examples.shop.demo.look import faults
from examples.shop.demo.orders import stuck
from examples.shop.demo.proof import Proof, prove
from examples.shop.demo.writers import Buyers
from tests.stories.conftest import Tell
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


def test_the_story_of_numbers_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(numbers, engine)

    assert "Ann has number 1, with order number 1" in capsys.readouterr().out


def test_the_story_of_later_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_office, "sent", {})

    tell(later, engine)

    said = capsys.readouterr().out
    assert said.count("Customer.remind on Customer!1 is done") == 1
    assert "attempt 2 raised PostOfficeClosed" in said
    assert "letters sent: 1" in said
    assert "receipts of it: 1" in said
    assert "receipts of it: 0" in said
    assert "The precondition of Customer.assign_number is false" in said


@pytest.mark.parametrize("how", [["examples/shop/caches.py"], ["-m", "examples.shop.caches"]])
def test_the_story_of_caches_runs_by_path_and_as_a_module(how: list[str]) -> None:
    assert "Ann's total is 84.20" in run(*how)


def test_the_story_of_caches_is_the_same_on_each_database(
    engine: Engine, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(caches, engine)

    said, asked = capsys.readouterr().out.split("Why is it so?")
    first, delivered, changed, renamed = said.split("Somebody says:")
    assert "Ann's total is 64.30, in stock are Teapot, blue: -1, Cup and saucer: -4" in first
    assert "runs: Product.stock of Product!1, Product.stock of Product!2\n" in delivered
    assert "Ann's total is 84.20, in stock are Teapot, blue: 49, Cup and saucer: 44" in changed
    assert "runs: nothing" in renamed
    assert "Customer.total of Customer!1 is fresh." in asked
    assert "It ran because customer_order 1 was changed: total from 6430 to 8420." in asked
    assert "Customer.total of Customer!1, through Order.total of Order!1" in asked


def test_an_order_is_overdue_from_the_moment_on_until_it_is_paid(engine: Engine, model: ModuleType) -> None:
    model.create(engine)
    clock = aw.ManualClock()
    app = aw.Afterwork(model.Base, clock=clock)
    app.install(engine)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        due = (clock.now() + timedelta(days=30)).astimezone(UTC).replace(tzinfo=None)
        product = model.Product(name="Sieve", price=Decimal("3.80"))
        order = model.Order(customer=model.Customer(name="Ann"), due=due)
        order.lines.append(model.OrderLine(product=product, quantity=1, price=product.price))
        session.add(order)

    def is_overdue() -> bool:
        app.run_until_idle(engine)
        with Session(engine) as session:
            overdue: bool = session.get_one(model.Order, order.id).overdue
            return overdue

    assert not is_overdue()
    clock.advance(timedelta(days=29))
    assert app.run_until_idle(engine) == []
    clock.advance(timedelta(days=1))
    assert is_overdue()
    with Session(engine) as session, session.begin():
        session.add(model.Payment(order_id=order.id, amount=Decimal("3.80")))
    assert not is_overdue()


def test_the_proof_finds_each_value_that_is_wrong(engine: Engine) -> None:
    create(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        product = Product(name="Sieve", price=Decimal("3.80"), deliveries=[Delivery(quantity=9)])
        order = Order(customer=Customer(name="Ann"), overdue=True)
        order.lines.append(OrderLine(product=product, quantity=2, price=product.price))
        session.add(order)

    found = prove(engine)

    assert (found.values, found.wrong) == (4, 4)
    assert found.examples == [
        "Order.total of 1 is 0, but 760 by SQL.",
        "Customer.total of 1 is 0, but 760 by SQL.",
        "Product.stock of 1 is 0, but 7 by SQL.",
        "Order.overdue of 1 is 1, but 0 by SQL.",
    ]
    with engine.begin() as connection:
        connection.execute(text("UPDATE customer_order SET total = 760, overdue = false"))
        connection.execute(text("UPDATE customer SET total = 760"))
        connection.execute(text("UPDATE product SET stock = 7"))
    assert prove(engine) == Proof(4, 0, [])


def test_the_proof_finds_each_order_that_could_go_on(engine: Engine) -> None:
    create(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        sieve = Product(name="Sieve", price=Decimal("3.80"), deliveries=[Delivery(quantity=5)])
        ann = Customer(name="Ann")
        for state, quantity in (("cart", 2), ("paid", 5), ("paid", 6), ("reserved", 1), ("packed", 1)):
            order = Order(customer=ann, state=state)
            order.lines.append(OrderLine(product=sieve, quantity=quantity, price=sieve.price))
            order.payments.append(Payment(amount=quantity * sieve.price))
            session.add(order)
    assert list(stuck(engine)) == [
        "Order 1 is a cart, but paid.",
        "Order 2 waits for what is in stock.",
        "Order 4 is to be packed.",
    ]

    with engine.begin() as connection:
        connection.execute(text("UPDATE customer_order SET state = NULL WHERE id = 1"))
        connection.execute(text("INSERT INTO reservation (order_id, product_id, quantity) VALUES (5, 1, 1)"))

    assert list(stuck(engine)) == [
        "Order 1 has not begun.",
        "Order 4 is to be packed.",
        "Product 1 has 0 reserved, but 1 by SQL.",
    ]


def test_the_demo_numbers_and_calculates_all_and_can_be_asked_afterwards(url: URL) -> None:
    said = run("-m", "examples.shop.demo", "--seconds", "1", "--database", url.render_as_string(hide_password=False))

    assert "no gap, no double" in said
    assert " values, 0 wrong" in said
    assert "none could go on by itself" in said
    assert "WRONG" not in said
    assert "log says" not in said
    explain, impact = (line.strip() for line in said.splitlines()[-2:])
    assert f"Customer.total of {shlex.split(explain.split(' explain ')[1])[1]} is fresh." in typed(explain, url)
    assert "Order.total of Order!" in typed(impact, url)


def test_those_who_use_the_shop_in_the_demo_change_rows_that_are_there_whatever_keys_are_not(engine: Engine) -> None:
    create(engine)
    buyers = Buyers(["Ann"], random.Random(1))
    with Session(engine) as session, session.begin():
        assert buyers.one_of(session, Customer) is None
        session.add_all([Customer(id=500, name="Ann"), Customer(id=999, name="Bo")])
        session.flush()

        assert {buyers.one_of(session, Customer) for _ in range(50)} == {500, 999}


def typed(command: str, url: URL) -> str:
    """What a command says that the demo has printed. A password in it is for the user to fill in."""
    environment = os.environ | {"PGPASSWORD": url.password or ""}
    command = command.removeprefix("PGPASSWORD=… ")
    ended = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_demo_keeps_its_file_says_so_and_fails_if_a_value_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Proof(1000, 1, ["Order.total of 7 is 1, but 2 by SQL."])
    monkeypatch.setattr(demo, "prove", lambda engine: wrong)

    ended = CliRunner().invoke(demo.main, ["--seconds", "1"])

    assert "1,000 values, 1 wrong" in ended.output
    assert "WRONG     Order.total of 7 is 1, but 2 by SQL." in ended.output
    assert ended.exit_code == 1
    file = Path(make_url(ended.output.split("A shop in ")[1].split()[0]).database or "")
    assert file.exists()
    assert f"rm -r {file.parent}" in ended.output
    subprocess.run(["rm", "-r", file.parent], check=True)


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
    try:
        for line in process.stdout:
            if line.startswith("Its server is process"):
                server = int(line.split()[4].rstrip("."))
            if "numbered" in line:
                break
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()

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
    app.install(engine)
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
