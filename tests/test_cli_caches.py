"""What the command line says of caches, and of questions about them that can't be meant."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.orm import DeclarativeBase

import afterwork as aw
from tests.conftest import Trade, begin_trade
from tests.support import trade
from tests.support.command_line import Afterwork, run, text_of, told
from tests.support.databases import ON_BOTH, url
from tests.support.prepared import begin_with
from tests.support.trade import Customer, Line, Order, Product

__all__ = ["url"]

APP = "tests.test_cli_caches:app"
app = aw.Afterwork(trade.Base)


class Bare(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Bare): ...


bare = aw.Afterwork(Bare)
"""The application of a model without caches."""


@pytest.fixture
def afterwork(url: URL) -> Afterwork:
    """A command about the trade in a test's database: `afterwork("explain", "Customer!1", "total")`."""
    return lambda command, *others: run(command, APP, *others, "--database", text_of(url))


@pytest.fixture
def shop(engine: Engine) -> Trade:
    begin_with(engine, ada_has_two_orders)
    return Trade(engine)


def ada_has_two_orders(engine: Engine) -> None:
    """All is fresh."""
    trade = begin_trade(engine)
    with trade.session() as session, session.begin():
        ada = Customer(id=1, name="Ada", liked=[Product(id=1, name="tea")])
        ada.orders = [Order(id=n, lines=[Line(id=n, quantity=n)]) for n in (1, 2)]
        session.add(ada)
    trade.run()


def without_triggers(shop: Trade, *statements: str) -> None:
    """Change something while nothing of the table `line` is captured."""
    if shop.engine.dialect.name == "postgresql":
        shop.sql("ALTER TABLE line DISABLE TRIGGER USER")
    else:
        for name in _line_triggers(shop):
            shop.sql(f'DROP TRIGGER "{name}"')
    for statement in statements:
        shop.sql(statement)


def _line_triggers(shop: Trade) -> list[str]:
    names = shop.value("SELECT group_concat(name) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'line'")
    return str(names).split(",")


# caches


def test_caches_shows_how_each_is(shop: Trade, afterwork: Afterwork) -> None:
    shop.sql("UPDATE line SET quantity = 7 WHERE id = 1")
    shop.app.run_until_idle(shop.engine)

    lines = told(afterwork("caches")).splitlines()
    head = "cache kept right fresh stale of these failed runs mean ms backfilled made stale by"
    assert " ".join(lines[0].split()) == head
    order, why = [line.split() for line in lines if line.startswith("Order.total")]
    assert order[1:8] == ["by", "its", "reads", "2", "0", "0", "3"]
    assert order[9:] == ["yes", "Line.quantity"]
    assert " ".join(why) == "Order.total is not refreshed in sets, since it has a LIMIT."
    assert len(lines) == 2 + len(app.model.derivations)


@ON_BOTH
def test_caches_says_that_changes_wait_which_nobody_has_looked_at(shop: Trade, afterwork: Afterwork) -> None:
    assert "wait" not in told(afterwork("caches"))

    for line in (1, 2):
        shop.sql(f"UPDATE line SET quantity = 7 WHERE id = {line}")

    lines = told(afterwork("caches")).splitlines()
    said = "2 changes wait to be looked at by a server, so at least 0 are stale."
    assert f"Order.total: {said}" in lines
    assert said in told(afterwork("caches", "Order.total"))
    found = {one["name"]: one["waiting"]["number"] for one in json.loads(told(afterwork("caches", "--json")))}
    assert found["Order.total"] == 2
    assert {name for name, waiting in found.items() if not waiting}, "some read nothing of lines"
    shop.run()
    assert "wait" not in told(afterwork("caches"))


def test_caches_are_shown_as_json(shop: Trade, afterwork: Afterwork) -> None:
    found = {one["name"]: one for one in json.loads(told(afterwork("caches", "--json")))}

    assert found.keys() == app.model.derivations.keys()
    order = found["Order.total"]
    assert [order[state]["number"] for state in ("fresh", "stale", "failed")] == [2, 0, 0]
    assert (order["known"], order["backfill"]["is_complete"]) == (True, True)


def test_caches_that_no_server_has_come_to_yet_are_shown_as_such(the_trade: Trade, afterwork: Afterwork) -> None:
    lines = told(afterwork("caches")).splitlines()

    order, why = [line for line in lines if line.startswith("Order.total")]
    assert why == "Order.total is not refreshed in sets, since it has a LIMIT."
    assert "not begun" in order
    assert len(json.loads(told(afterwork("caches", "--json")))) == len(app.model.derivations)


def test_a_cache_that_the_model_has_no_more_is_shown_as_such(shop: Trade, afterwork: Afterwork) -> None:
    shop.sql("INSERT INTO afterwork_derivation (id, name) VALUES (99, 'Customer.former')")

    assert "Customer.former (no longer in the model)" in told(afterwork("caches"))


def test_a_model_without_caches_is_told_so(url: URL, engine: Engine) -> None:
    Bare.metadata.create_all(engine)
    bare.install(engine)

    def asked(command: str) -> str:
        return told(run(command, "tests.test_cli_caches:bare", "--database", text_of(url)))

    assert "The model has no caches." in asked("caches")
    assert "0 differences" in asked("verify")
    assert "stale    0 caches" in asked("status")
    assert "capture" not in asked("check")


def test_the_objects_of_a_cache_are_listed_by_state(shop: Trade, afterwork: Afterwork) -> None:
    listed = told(afterwork("caches", "Order.total", "--state", "fresh")).splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["Order!1", "Order!2"]
    assert told(afterwork("caches", "Order.total", "--state", "failed")).strip() == "No objects."
    assert "--state and --after are for the list" in told(afterwork("caches", "--state", "stale"), exit_code=2)
    assert "The model has no cache 'Order.totl'" in told(afterwork("caches", "Order.totl"), exit_code=1)


def test_a_cache_is_run_by_hand(shop: Trade, afterwork: Afterwork) -> None:
    assert "total of Order!1 will run." in told(afterwork("recompute", "Order!1", "total", "--who", "ann"))
    assert "ann asked for it" in told(afterwork("caches", "Order.total", "--state", "stale"))
    shop.clock.advance(timedelta(minutes=1))  # the command goes by the clock of this machine
    shop.run()
    assert "It ran because ann asked for it." in told(afterwork("explain", "Order!1", "total"))


def test_the_model_is_told_without_a_database(tmp_path: Path) -> None:
    said = told(run("model", APP, "--svg", str(tmp_path / "model.svg")))
    assert "Customer (table customer)" in said
    assert "  total: Decimal, cache Customer.total" in said
    assert "  lines: * Line" in said
    assert "Badging on Customer: When something that it has read changes; By a ticket" in said
    assert "<style>" in (tmp_path / "model.svg").read_text(encoding="utf-8")
    assert json.loads(run("model", APP, "--json").output)["associations"]


# explain


def test_explain_says_what_was_read_and_what_made_it_run(shop: Trade, afterwork: Afterwork) -> None:
    shop.sql("UPDATE line SET quantity = 7 WHERE id = 1")
    shop.run()

    said = told(afterwork("explain", "Order!1", "total"))
    assert "Order.total of Order!1 is fresh." in said
    assert "line 1 was changed: quantity from 1 to 7" in said
    found = json.loads(told(afterwork("explain", "Order!1", "Order.total", "--json")))
    assert (found["state"], found["runs"], found["error"]) == ("fresh", 2, None)
    assert found["reads"]


def test_explain_tells_of_a_view_model_too(shop: Trade, afterwork: Afterwork) -> None:
    assert "Badging of Customer!1 is fresh." in told(afterwork("explain", "Customer!1", "Badging"))


def test_explain_of_an_object_that_no_server_has_come_to_yet(the_trade: Trade, afterwork: Afterwork) -> None:
    the_trade.sql("INSERT INTO customer (id, name, total, share, likes, overdue) VALUES (1, 'Ada', 0, 0, '', false)")
    assert "No server has come to it yet." in told(afterwork("explain", "Customer!1", "total"))

    the_trade.run()
    the_trade.sql("INSERT INTO customer (id, name, total, share, likes, overdue) VALUES (2, 'Eve', 0, 0, '', false)")
    assert "Customer.total of Customer!2 is never run." in told(afterwork("explain", "Customer!2", "total"))
    said = told(afterwork("recompute", "Customer!2", "total"), exit_code=1)
    assert "Customer!2 has no cache Customer.total: there is no such object, or no server has come" in said


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["explain", "Customer!99", "total"], "There is no Customer!99."),
        (["explain", "Nobody!1", "total"], "Nobody"),
        (["explain", "Customer", "total"], "'Customer' has 0 key parts"),
        (["explain", "Customer!one", "total"], "one"),
        (["explain", "Customer!1", "nonsense"], "Customer has no cache 'nonsense'. It has: Customer.total"),
        (["explain", "Product!1", "price"], "Product has no cache 'price'. It has: none."),
        (["impact", "Line!99", "quantity"], "There is no Line!99."),
        (["impact", "Line!1", "nonsense"], "Line has no member 'nonsense'"),
        (["impact", "Customer!1", "compute_total"], "Customer has no member 'compute_total'"),
        (["impact", "Line!1;drop", "x"], "drop"),
    ],
)
def test_what_is_not_there_is_told_so(arguments: list[str], advice: str, shop: Trade, afterwork: Afterwork) -> None:
    said = told(afterwork(*arguments), exit_code=1)

    assert advice in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["explain", APP, "Customer!1"], "Missing argument 'CACHE'"),
        (["impact", APP, "Customer!1"], "Missing argument 'MEMBER'"),
        (["verify", APP, "--sample", "0"], "--sample"),
        (["verify", APP, "--sample", "some"], "--sample"),
        (["check", APP, "--repair"], "--repair needs --database URL"),
        (["caches", APP], "AFTERWORK_DATABASE"),
    ],
)
def test_what_can_not_be_meant_ends_with_2_and_advice(arguments: list[str], advice: str) -> None:
    database = ["--database", "sqlite:///x"] if arguments[0] not in ("check", "caches") else []

    assert advice in told(run(*arguments, *database), exit_code=2)


# impact


def test_impact_says_who_reads_a_member(shop: Trade, afterwork: Afterwork) -> None:
    said = told(afterwork("impact", "Line!1", "quantity"))
    assert "If quantity of Line!1 changes, 4 caches become stale or may follow:" in said
    assert "Customer.total of Customer!1, through Order.total of Order!1" in said

    found = json.loads(told(afterwork("impact", "Line!1", "quantity", "--json")))
    assert found[0] == {"name": "Order.total", "root_id": "Order!1", "through": None}


def test_impact_of_a_member_that_nobody_reads(shop: Trade, afterwork: Afterwork) -> None:
    assert "No cache reads remark of Line!1." in told(afterwork("impact", "Line!1", "remark"))
    assert json.loads(told(afterwork("impact", "Line!1", "remark", "--json"))) == []


def test_impact_of_a_member_that_is_named_with_its_class(shop: Trade, afterwork: Afterwork) -> None:
    by_name, with_class = (
        told(afterwork("impact", "Line!1", name, "--json")) for name in ("quantity", "Line.quantity")
    )
    assert with_class == by_name
    assert "Line has no member 'Order.quantity'" in told(afterwork("impact", "Line!1", "Order.quantity"), exit_code=1)


@pytest.mark.parametrize(
    ("root", "member", "reader"),
    [
        ("Line!1", "order", "Order.total"),
        ("Order!1", "customer", "Customer.total"),
        ("Customer!1", "orders", "Customer.total"),
        ("Customer!1", "liked", "Customer.likes"),
        ("Order!1", "lines", "Order.total"),
    ],
)
def test_impact_of_an_end(root: str, member: str, reader: str, shop: Trade, afterwork: Afterwork) -> None:
    found = json.loads(told(afterwork("impact", root, member, "--json")))

    assert reader in {one["name"] for one in found}


# verify


def test_verify_counts_what_is_right(shop: Trade, afterwork: Afterwork) -> None:
    said = told(afterwork("verify"))
    assert "Order.total: 2 recalculated" in said
    assert "0 differences" in said

    found = json.loads(told(afterwork("verify", "--sample", "1", "--json")))
    assert found["checked"]["Order.total"] == 1
    assert found["differences"] == []


def test_verify_finds_what_is_wrong_and_changes_nothing(shop: Trade, afterwork: Afterwork) -> None:
    without_triggers(shop, "UPDATE line SET quantity = 50 WHERE id = 1")

    said = told(afterwork("verify"), exit_code=1)
    assert "WRONG  Order.total of Order!1 is Decimal('1.00'), but calculated Decimal('50.00')" in said
    found = json.loads(afterwork("verify", "--json").stdout)
    assert {one["root_id"] for one in found["differences"]} == {"Order!1"}
    assert shop.value("SELECT total FROM orders WHERE id = 1") == 1


def test_verify_leaves_out_what_is_stale(shop: Trade, afterwork: Afterwork) -> None:
    shop.sql("DELETE FROM afterwork_due")
    shop.sql(
        "INSERT INTO afterwork_due (cache, derivation, due, since) SELECT id, derivation, '2020-01-01', '2020-01-01'"
        " FROM afterwork_cache WHERE root = 'Order!1'"
    )

    assert "Order.total: 1 recalculated, 1 left out: not fresh" in told(afterwork("verify"))


def test_verify_says_that_servers_are_not_done(shop: Trade, afterwork: Afterwork) -> None:
    assert "Changes wait" not in told(afterwork("verify"))

    shop.sql("UPDATE line SET quantity = 9 WHERE id = 1")

    assert "Changes wait, or a backfill is under way" in told(afterwork("verify"), exit_code=1)
    shop.run()
    assert "Changes wait" not in told(afterwork("verify"))


# status


def test_status_counts_what_is_stale(shop: Trade, afterwork: Afterwork) -> None:
    shop.sql(
        "INSERT INTO afterwork_due (cache, derivation, due, since)"
        " SELECT id, derivation, '2020-01-01 00:00:00', '2020-01-01 00:00:00'"
        " FROM afterwork_cache WHERE root = 'Order!1'"
    )

    assert "stale    1 caches; the first for" in told(afterwork("status"))
    assert json.loads(told(afterwork("status", "--json")))["stale"]["number"] == 1


# check


@ON_BOTH
def test_check_finds_what_is_not_captured_and_repair_puts_all_right(shop: Trade, afterwork: Afterwork) -> None:
    assert "capture on 7 tables" in told(afterwork("check"))
    without_triggers(shop, "UPDATE line SET quantity = 50 WHERE id = 1")

    said = told(afterwork("check"), exit_code=1)
    assert "WRONG  capture on line:" in said
    assert "afterwork install" in said
    wrong = [one for one in json.loads(afterwork("check", "--json").stdout)["findings"] if not one["right"]]
    assert any(one["what"].startswith("capture on line") and one["advice"] for one in wrong)

    repaired = afterwork("check", "--repair", "--json")
    assert repaired.exit_code == 0, repaired.output
    assert "all caches are to run again" in repaired.stderr
    assert all(one["right"] or one["is_note"] for one in json.loads(repaired.stdout)["findings"])
    shop.clock.advance(aw.ManualClock().now() - shop.clock.now())
    shop.run()
    assert shop.value("SELECT total FROM customer") == 52
    assert "0 differences" in told(afterwork("verify"))


def test_repair_where_nothing_is_wrong_lets_all_run_again_once(shop: Trade, afterwork: Afterwork) -> None:
    told(afterwork("check", "--repair"))
    shop.clock.advance(aw.ManualClock().now() - shop.clock.now())

    assert sorted(shop.run()).count("Order.total Order!1") == 1
    assert shop.run() == []


# Not installed.


@pytest.mark.parametrize(
    "arguments", [["caches"], ["verify"], ["status"], ["explain", "Customer!1", "total"], ["impact", "Line!1", "price"]]
)
def test_a_database_that_is_not_installed_is_told_as_such(
    arguments: list[str], engine: Engine, afterwork: Afterwork
) -> None:
    trade.create(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO customer (id, name, total, share, likes, overdue) VALUES (1, 'Ada', 0, 0, '', false)"
        )
        connection.exec_driver_sql("INSERT INTO orders (id, customer_id, total) VALUES (1, 1, 0)")
        connection.exec_driver_sql("INSERT INTO line (id, order_id, quantity, price) VALUES (1, 1, 1, 1)")

    assert "has no tables of Afterwork" in told(afterwork(*arguments), exit_code=1)


def test_a_database_without_the_applications_tables_is_told_as_such(engine: Engine, afterwork: Afterwork) -> None:
    engine.connect().close()

    said: Any = told(afterwork("explain", "Customer!1", "total"), exit_code=1)
    assert "customer" in said
