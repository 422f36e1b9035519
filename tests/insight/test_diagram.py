"""The diagram of a machine: each state, each transition with its label, well-formed, and nothing drawn over another."""

from itertools import combinations
from typing import Any
from xml.etree import ElementTree

from statemachine import State, StateChart
from statemachine.contrib.diagram.extract import extract

from afterwork.pictures.machine_diagram import _placed, chart_diagram
from afterwork.store.bounded_count import Count

SVG = "{http://www.w3.org/2000/svg}"


class Parcel(StateChart[Any]):
    cart = State(initial=True)

    class shipping(State.Compound):
        packing = State(initial=True)
        packed = State(final=True)
        pack = packing.to(packed)

    class both(State.Parallel):
        class goods(State.Compound):
            away = State(initial=True)
            arrived = State(final=True)
            arrive = away.to(arrived, cond="is_there & a < 3")

        class money(State.Compound):
            open = State(initial=True)
            paid = State(final=True)
            open.to(paid, cond="is_covered")

    done = State(final=True)
    back = shipping.to(cart)
    cart.to(shipping, cond="is_ready")
    done_state_shipping = shipping.to(both)
    done_state_both = both.to(done)
    is_ready = is_there = is_covered = a = True


def texts(diagram: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(diagram).iter(f"{SVG}text")]


def test_it_shows_each_state_and_what_leads_from_one_to_the_other() -> None:
    shown = texts(chart_diagram(Parcel))

    assert {state.id for state in Parcel.states_map.values()} <= set(shown)
    assert {"pack", "back", "[is_ready]", "[is_covered]", "arrive [is_there & a < 3]"} <= set(shown)
    arrows = [
        path for path in ElementTree.fromstring(chart_diagram(Parcel)).iter(f"{SVG}path") if path.get("marker-end")
    ]
    assert len(arrows) == 7


def test_it_shows_how_many_objects_are_in_each_state() -> None:
    shown = texts(
        chart_diagram(Parcel, {"packing": Count(12_000), "shipping": Count(10_000, or_more=True), "cart": Count(0)})
    )

    assert {"packing 12,000", "shipping 10,000+", "cart 0", "packed"} <= set(shown)


def test_states_are_not_drawn_over_each_other() -> None:
    graph = extract(Parcel)
    boxes = [box for top in _placed(graph.states, graph.transitions, {}) for box in top.all()]

    for one, other in combinations(boxes, 2):
        inside = other in list(one.all()) or one in list(other.all())
        apart = (
            one.x + one.width <= other.x
            or other.x + other.width <= one.x
            or one.y + one.height <= other.y
            or other.y + other.height <= one.y
        )
        assert inside != apart, (one.state.id, other.state.id)


def test_outer_states_enclose_the_inner_ones() -> None:
    graph = extract(Parcel)

    for box in [box for top in _placed(graph.states, graph.transitions, {}) for box in top.all()]:
        for inner in box.inner:
            assert box.x < inner.x
            assert box.y < inner.y
            assert inner.x + inner.width < box.x + box.width
            assert inner.y + inner.height < box.y + box.height
