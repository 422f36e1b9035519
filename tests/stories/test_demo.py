"""The demo of the shop: it plays as it says, and finds whatever is wrong."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from examples.shop import Customer, Delivery, Order, OrderLine, Payment, Product, SysAsyncTicket, app, create
from examples.shop.demo import __main__ as demo
from examples.shop.demo.look import faults
from examples.shop.demo.orders import stuck
from examples.shop.demo.proof import Proof, prove
from examples.shop.demo.stage import Outside
from examples.shop.demo.writers import Buyers
from tests.stories.programs import ROOT, run
from tests.support.command_line import open_the_example, text_of, told
from tests.support.command_line import run as afterwork
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.prepared import begin_with
from tests.support.waiting import eventually


@pytest.fixture
def shop(engine: Engine) -> Engine:
    """A shop without customers."""
    begin_with(engine, open_the_example)
    return engine


def played(*options: str) -> tuple[int, str]:
    """Play the demo in this process, and return its exit code with what it says. Its server has one of its own."""
    ended = CliRunner().invoke(demo.main, ["--seconds", "1", *options])
    return ended.exit_code, ended.output


def test_the_demo_numbers_and_calculates_all_and_can_be_asked_afterwards(url: URL) -> None:
    exit_code, said = played("--database", text_of(url))

    assert exit_code == 0, said
    assert "no gap, no double" in said
    assert " values, 0 wrong" in said
    assert "none could go on by itself" in said
    assert "WRONG" not in said
    assert "log says" not in said
    explain, impact = (line.strip() for line in said.splitlines()[-2:])
    assert f"Customer.total of {shlex.split(explain.split(' explain ')[1])[1]} is fresh." in typed(explain, url)
    arguments = shlex.split(impact.split("afterwork ")[-1])
    assert "Order.total of Order!" in told(afterwork(*arguments, PGPASSWORD=url.password or ""))


def test_the_demo_of_jobs_as_data_prints_objects_of_json_if_asked() -> None:
    exit_code, said = played("--json", "--as-data")
    introduction, *readings, ended = map(json.loads, said.splitlines())

    assert exit_code == 0, said
    assert introduction["page"].startswith("http://127.0.0.1:")
    assert {"moment", "numbered", "p50", "stale", "standing", "per_second", "share"} <= readings[0].keys()
    assert ended["problems"] == []
    assert ended["proof"]["wrong"] == 0
    assert ended["saved"]["customers"] > 0
    assert " explain examples.shop:app " in ended["commands"][0]
    assert ended["database"] == introduction["database"]
    subprocess.run(shlex.split(ended["removal"]), check=True)


def typed(command: str, url: URL) -> str:
    """What a command says that the demo has printed. A password in it is for the user to fill in."""
    environment = os.environ | {"PGPASSWORD": url.password or ""}
    command = command.removeprefix("PGPASSWORD=… ")
    ended = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


class ServerHere:
    """A server in this process, as the demo knows one."""

    process, page, is_running = os.getpid(), "nowhere", True

    def wait_until_ready(self, engine: Engine) -> None: ...

    def stop(self) -> int:
        return 0

    def said(self) -> str:
        return ""


@contextmanager
def serving_here(served: str, url: URL, outside: Outside) -> Iterator[ServerHere]:
    engine = create_engine(url)
    with app.serving(engine):
        yield ServerHere()
    engine.dispose()


def test_the_demo_keeps_its_file_says_so_and_fails_if_a_value_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Proof(1000, 1, ["Order.total of 7 is 1, but 2 by SQL."])
    monkeypatch.setattr(demo, "prove", lambda engine: wrong)
    monkeypatch.setattr(demo, "serving", serving_here)

    exit_code, said = played()

    assert "1,000 values, 1 wrong" in said
    assert "WRONG     Order.total of 7 is 1, but 2 by SQL." in said
    assert exit_code == 1
    file = Path(make_url(said.split("A shop in ")[1].split()[0]).database or "")
    assert file.exists()
    assert f"rm -r {file.parent}" in said
    subprocess.run(["rm", "-r", file.parent], check=True)


def test_those_who_use_the_shop_in_the_demo_change_rows_that_are_there_whatever_keys_are_not(engine: Engine) -> None:
    create(engine)
    buyers = Buyers(["Ann"], random.Random(1))
    with Session(engine) as session, session.begin():
        assert buyers.one_of(session, Customer) is None
        session.add_all([Customer(id=500, name="Ann"), Customer(id=999, name="Bo")])
        session.flush()

        assert {buyers.one_of(session, Customer) for _ in range(50)} == {500, 999}


def tables_left(url: URL) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM pg_class WHERE relname LIKE '%ticket%'")).scalar_one()
    engine.dispose()
    return int(count)


@ONLY_POSTGRESQL
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


def test_the_proof_finds_each_value_that_is_wrong(shop: Engine) -> None:
    with Session(shop) as session, session.begin():
        product = Product(name="Sieve", price=Decimal("3.80"), deliveries=[Delivery(quantity=9)])
        order = Order(customer=Customer(name="Ann"), overdue=True)
        order.lines.append(OrderLine(product=product, quantity=2, price=product.price))
        session.add(order)

    found = prove(shop)

    assert (found.values, found.wrong) == (4, 4)
    assert found.examples == [
        "Order.total of 1 is 0, but 760 by SQL.",
        "Customer.total of 1 is 0, but 760 by SQL.",
        "Product.stock of 1 is 0, but 7 by SQL.",
        "Order.overdue of 1 is 1, but 0 by SQL.",
    ]
    with shop.begin() as connection:
        connection.execute(text("UPDATE customer_order SET total = 760, overdue = false"))
        connection.execute(text("UPDATE customer SET total = 760"))
        connection.execute(text("UPDATE product SET stock = 7"))
    assert prove(shop) == Proof(4, 0, [])


def test_the_proof_finds_each_order_that_could_go_on(shop: Engine) -> None:
    with Session(shop) as session, session.begin():
        sieve = Product(name="Sieve", price=Decimal("3.80"), deliveries=[Delivery(quantity=5)])
        ann = Customer(name="Ann")
        for state, quantity in (("cart", 2), ("paid", 5), ("paid", 6), ("reserved", 1), ("packed", 1)):
            order = Order(customer=ann, state=state)
            order.lines.append(OrderLine(product=sieve, quantity=quantity, price=sieve.price))
            order.payments.append(Payment(amount=quantity * sieve.price))
            session.add(order)
    assert list(stuck(shop)) == [
        "Order 1 is a cart, but paid.",
        "Order 2 waits for what is in stock.",
        "Order 4 is to be packed.",
    ]

    with shop.begin() as connection:
        connection.execute(text("UPDATE customer_order SET state = NULL WHERE id = 1"))
        connection.execute(text("INSERT INTO reservation (order_id, product_id, quantity) VALUES (5, 1, 1)"))

    assert list(stuck(shop)) == [
        "Order 1 has not begun.",
        "Order 4 is to be packed.",
        "Product 1 has 0 reserved, but 1 by SQL.",
    ]


def test_the_demo_tells_of_gaps_doubles_failures_and_of_what_is_left_undone(shop: Engine) -> None:
    with Session(shop) as session, session.begin():
        session.add_all([Customer(name="Ann", number=1), Customer(name="Bob", number=1)])
        session.add_all([Order(customer_id=1, number=1), Order(customer_id=1, number=3)])
        session.add_all(
            [
                SysAsyncTicket(view_model="Customer.remind"),
                SysAsyncTicket(view_model="Customer.remind", error="It was Monday."),
            ]
        )

    customers, orders, failed, left = faults(shop)

    assert customers == "Customer: 2 of them have 1 different numbers from 1 to 1."
    assert orders == "Order: 2 of them have 2 different numbers from 1 to 3."
    assert failed == "Tickets: 1 have failed. One of them says: It was Monday."
    assert left == "Tickets: 1 have not ended."
