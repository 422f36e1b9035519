"""Where objects stand: with an index and without one, first those that have been there for longest."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from afterwork.errors import BadRequest
from afterwork.insight import object_states
from afterwork.insight import page as pages
from afterwork.store import bounded_count
from afterwork.store.bounded_count import Count
from tests.support.effort import effort
from tests.support.orders import Orders, orders


@pytest.fixture
def scene(engine: Engine) -> Orders:
    """Six orders in the cart, of which 2 and then 1 were placed."""
    scene = orders(engine)
    for n in range(2, 7):
        scene.sql(f"INSERT INTO orders (id, total, article_id, confirmed, hurried, escalated, told)"
                  f" VALUES ({n}, 10, 1, 0, 0, false, '')")  # fmt: skip
    scene.run()
    for n in (2, 1):
        scene.clock.advance(timedelta(seconds=1))
        scene.ask("place", n)
        scene.run()
    return scene


def counts(scene: Orders) -> dict[str | None, Count]:
    (view,) = scene.app.insight(scene.engine).machines()
    return {one.state: one.count for one in view.states}


def standing_in(scene: Orders, state: str, after: str | None = None) -> list[str]:
    return [one.root_id for one in scene.app.insight(scene.engine).objects_in("Order.flow", state, after).items]


def test_without_an_index_only_the_newest_of_many_are_counted(scene: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts(scene)["placed"] == Count(2)
    monkeypatch.setattr(object_states, "BOUND", 4)

    found = counts(scene)

    assert (found["cart"], found["placed"], found["packed"]) == (
        Count(4, or_more=True), Count(1, or_more=True), Count(0, or_more=True),
    )  # fmt: skip
    assert standing_in(scene, "placed") == ["Order!1", "Order!2"]


def test_with_an_index_each_state_is_counted_and_the_oldest_comes_first(scene: Orders) -> None:
    scene.sql("CREATE INDEX by_state ON orders (state)", "UPDATE orders SET state = 'lost' WHERE id = 6")

    (view,) = scene.app.insight(scene.engine).machines()
    found = {one.state: one for one in view.states}

    assert view.is_indexed
    assert {state: one.count.number for state, one in found.items() if one.count.number} == {
        "cart": 3, "placed": 2, "lost": 1,
    }  # fmt: skip
    assert not found["lost"].known
    assert found["placed"].oldest == "Order!2"
    assert standing_in(scene, "placed") == ["Order!2", "Order!1"]


def test_objects_of_a_state_are_listed_a_page_at_a_time(scene: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    monkeypatch.setattr(object_states, "PAGE_SIZE", 1)

    assert standing_in(scene, "placed") == ["Order!1"]
    assert standing_in(scene, "placed", "Order!1") == ["Order!2"]
    scene.sql("CREATE INDEX by_state ON orders (state)")
    assert standing_in(scene, "placed", "Order!2") == ["Order!1"]
    with pytest.raises(BadRequest, match=r"Order\.flow has no state 'gone'"):
        standing_in(scene, "gone")


@pytest.mark.parametrize("indexed", [True, False])
def test_counting_costs_no_more_with_three_times_as_many(
    scene: Orders, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (bounded_count, object_states):
        monkeypatch.setattr(module, "BOUND", 500)
    columns = "id, total, article_id, confirmed, hurried, escalated, told, state"
    if indexed:
        scene.sql("CREATE INDEX by_state ON orders (state)")
    efforts = []
    for times in (1, 3):
        first = scene.value("SELECT max(id) FROM orders")
        rows = ", ".join(f"({first + n}, 1, 1, 0, 0, false, '', 'paid')" for n in range(1, 3000 * times))
        scene.sql(f"INSERT INTO orders ({columns}) VALUES {rows}", "ANALYZE")
        efforts.append(effort(scene.engine, scene.app.insight(scene.engine).machines))

    few, many = efforts
    assert many < 1.5 * few + 20
    assert counts(scene)["paid"] == Count(500 if indexed else 501, or_more=True)
