"""The pages on state machines and on the model, and the same over the API."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import afterwork as aw
from tests.support.orders import Orders, orders
from tests.web.conftest import client_of


@pytest.fixture
def scene(engine: Engine) -> Orders:
    """Two orders: one was placed, one is in the cart."""
    scene = orders(engine)
    scene.sql("INSERT INTO orders (id, total, article_id, confirmed, hurried, escalated, told)"
              " VALUES (2, 10, 1, 0, 0, false, '')")  # fmt: skip
    scene.run()
    scene.do("place")
    scene.run()
    return scene


@pytest.fixture
def client(scene: Orders) -> Iterator[TestClient]:
    with client_of(aw.web(scene.app, scene.engine)) as found:
        yield found


def test_a_machine_is_drawn_and_its_states_lead_to_their_objects(scene: Orders, client: TestClient) -> None:
    assert "<svg" in client.get("/machines").text
    shown = client.get("/machines/Order.flow?state=placed").text

    assert 'href="/machines/Order.flow?state=placed"' in shown
    assert 'href="/machines/Order.flow/Order!1"' in shown
    assert "has no index" in shown
    assert "style" not in shown.split("<svg", 1)[1].split("</svg>", 1)[0]
    assert client.get("/machines/Order.flow?state=nowhere").status_code == 404
    assert client.get("/machines/Order.nothing").status_code == 404
    counts = {one["state"]: one["count"]["number"] for one in client.get("/api/machines").json()[0]["states"]}
    assert (counts["cart"], counts["placed"]) == (1, 1)


def test_an_object_shows_its_moves_and_what_would_move_it(scene: Orders, client: TestClient) -> None:
    shown = client.get("/machines/Order.flow/Order!1").text

    assert "It would go to paid, but is_covered does not hold" in shown
    assert "<code>cancel</code> is possible now" in shown
    assert '<td data-name="by">place' in shown
    told = client.get("/api/machines/Order.flow/object", params={"root": "Order!1"}).json()
    assert [(move["source"], move["target"]) for move in told["transitions"]["items"]] == [
        ("cart", "placed"),
        (None, "cart"),
    ]
    assert client.get("/machines/Order.flow/Order!9").status_code == 404
    assert scene.state() == "placed"


def test_the_model_is_shown_and_searched(client: TestClient) -> None:
    shown = client.get("/model").text
    assert "<svg" in shown
    assert 'id="Article"' in shown
    found = client.get("/model?search=stock").text
    assert 'id="Article"' in found
    assert 'id="Payment"' not in found
    assert "Nothing is called" in client.get("/model?search=%3Cscript%3E").text
    assert {one["name"] for one in client.get("/api/model").json()["classes"]} >= {"Order", "Article"}
