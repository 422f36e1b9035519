"""The pages on caches, and the same over the API."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import afterwork as aw
from tests.conftest import Trade, begin_trade
from tests.support.prepared import begin_with
from tests.support.trade import Customer, Line, Order
from tests.web.conftest import Act, client_of

NASTY = "<script>alert(1)</script>"


@pytest.fixture
def the_trade(engine: Engine) -> Trade:
    begin_with(engine, ann_has_two_orders)
    return Trade(engine)


def ann_has_two_orders(engine: Engine) -> None:
    """All is fresh."""
    trade = begin_trade(engine)
    with trade.session() as session, session.begin():
        session.add(Customer(id=1, name=NASTY, orders=[Order(id=n, lines=[Line(id=n)]) for n in (1, 2)]))
    trade.run()


@pytest.fixture
def client(the_trade: Trade) -> Iterator[TestClient]:
    """A client of its page."""
    with client_of(aw.web(the_trade.app, the_trade.engine)) as found:
        yield found


def test_all_caches_are_shown_with_what_made_them_stale(the_trade: Trade, client: TestClient) -> None:
    the_trade.sql("UPDATE line SET quantity = 5 WHERE id = 1")
    the_trade.run()

    shown = client.get("/caches").text

    assert 'href="/caches/Order.total"' in shown
    assert "Line.quantity" in shown
    assert "afterwork caches MODULE:APP" in shown
    told = {one["name"]: one for one in client.get("/api/caches").json()}
    assert told["Order.total"]["fresh"] == {"number": 2, "or_more": False}


def test_changes_that_nobody_has_looked_at_are_shown(the_trade: Trade, client: TestClient) -> None:
    assert "to be looked at" not in client.get("/caches").text

    the_trade.sql("UPDATE line SET quantity = 5 WHERE id = 1")

    assert "1 change waits to be looked at" in client.get("/caches").text
    assert "1 change waits to be looked at" in client.get("/caches/Order.total").text
    told = {one["name"]: one for one in client.get("/api/caches").json()}
    assert told["Order.total"]["waiting"] == {"number": 1, "or_more": False}


def test_the_objects_of_a_cache_are_listed_by_state(the_trade: Trade, client: TestClient) -> None:
    assert "Order!2" in client.get("/caches/Order.total").text
    assert "No object is in this state." in client.get("/caches/Order.total?state=failed").text
    assert client.get("/caches/Order.total?state=wrong").status_code == 404
    assert client.get("/caches/Order.nothing").status_code == 404
    listed = client.get("/api/caches/Order.total", params={"state": "fresh"}).json()
    assert [one["root_id"] for one in listed["items"]] == ["Order!1", "Order!2"]


def test_a_cache_shows_what_it_read_and_who_reads_it(the_trade: Trade, client: TestClient) -> None:
    shown = client.get("/caches/Customer.total/Customer!1").text

    assert "<svg" in shown
    assert 'href="/caches/Order.total/Order!1"' in shown
    assert "style=" not in shown
    closed = client.get("/caches/Customer.total/Customer!1?open=nothing").text
    assert closed.count("Order!1") < shown.count("Order!1")
    around = client.get("/api/around", params={"root": "Customer!1", "cache": "total"}).json()
    assert {group["name"] for group in around["reads"]} == {"Customer", "Order", "Order, queried"}
    assert client.get("/caches/Customer.total/Customer!9").status_code == 404
    assert client.get("/caches/Customer.total/Nobody!1").status_code == 404


def test_a_cache_is_run_by_hand(the_trade: Trade, client: TestClient, act: Act) -> None:
    the_trade.sql("UPDATE customer SET total = 999 WHERE id = 1")
    the_trade.run()
    back = "/caches/Customer.total/Customer!1"

    shown = act("/recompute", back, root="Customer!1", cache="Customer.total")

    assert "Customer.total of Customer!1 will run." in shown
    assert "local asked for it" in shown
    the_trade.run()
    assert the_trade.value("SELECT total FROM customer") == 2
    assert "has no cache" in act("/recompute", back, root="Customer!1", cache=NASTY)
    answer = client_of(client.app).post("/api/recompute", json={"root": "Customer!1", "cache": "total"})
    assert answer.status_code == 204, answer.text


def test_the_impact_of_a_member_is_shown(the_trade: Trade, client: TestClient) -> None:
    assert "Name an object" in client.get("/impact").text
    shown = client.get("/impact", params={"root": "Line!1", "member": "quantity"}).text
    assert 'href="/caches/Customer.total/Customer!1"' in shown
    assert "Order.total of Order!1" in shown
    assert NASTY not in client.get("/impact", params={"root": NASTY, "member": NASTY}).text
    assert client.get("/api/impact", params={"root": "Line!9", "member": "quantity"}).status_code == 404
