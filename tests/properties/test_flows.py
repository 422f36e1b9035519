"""Random flows, with failures, cancellations, retries and crashes, end as a small model of them says."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event, Reached
from afterwork.model.flow import IfFailed
from afterwork.store import tables
from tests.properties.conftest import examples
from tests.support.called_in_place import CalledInPlace
from tests.support.death import Death
from tests.support.flows import Base, Mark, Piece, SysAsyncTicket, marks
from tests.support.world import World

FOR_EVER = 1000
"""Failures of a piece that fails whenever it is tried."""


@dataclass(frozen=True)
class Node:
    """A ticket of a flow: how it runs, whether it fails, what it waits for (modulo those before it), and how."""

    work: str
    fails: bool
    waits_for: frozenset[int]
    if_failed: IfFailed


@dataclass
class Model:
    """What is to become of a flow."""

    nodes: list[Node]
    state: dict[int, str] = field(default_factory=dict)
    open: dict[int, set[int]] = field(default_factory=dict)
    """What each ticket still waits for, until it is decided."""
    fails: dict[int, bool] = field(default_factory=dict)
    successes: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for number, node in enumerate(self.nodes):
            self.state[number], self.fails[number] = "pending", node.fails
            if node.waits_for:
                self.open[number] = set(node.waits_for)

    def run(self) -> None:
        while ready := [n for n, state in self.state.items() if state == "pending" and n not in self.open]:
            for number in ready:
                self.successes[number] += not self.fails[number]
                self._end(number, "failed" if self.fails[number] else "done")

    def cancel(self, number: int) -> None:
        if self.state[number] == "pending":
            self._end(number, "failed")

    def mend_and_retry(self, number: int) -> None:
        self.fails[number] = False
        if self.state[number] == "failed":
            self.state[number] = "pending"
            self.open.pop(number, None)

    def _end(self, number: int, state: str) -> None:
        self.state[number] = state
        self.open.pop(number, None)
        for waiting in [each for each, prerequisites in self.open.items() if number in prerequisites]:
            if waiting not in self.open:
                continue
            if state == "done" or self.nodes[waiting].if_failed == "run":
                self.open[waiting].discard(number)
                if not self.open[waiting]:
                    del self.open[waiting]
            elif self.nodes[waiting].if_failed == "cancel":
                self._end(waiting, "failed")


nodes = st.lists(
    st.builds(
        Node,
        st.sampled_from(["do", "do", "do_left", "do_right", "do_outside"]),
        st.sampled_from([False, False, False, True]),
        st.frozensets(st.integers(0, 7), max_size=3),
        st.sampled_from(["cancel", "run", "wait"]),
    ),
    min_size=1,
    max_size=8,
).map(
    lambda drawn: [
        Node(node.work, node.fails, frozenset(each for each in node.waits_for if each < place), node.if_failed)
        for place, node in enumerate(drawn)
    ]
)

acts = st.lists(
    st.tuples(st.sampled_from(["run", "cancel", "retry", "crash"]), st.integers(0, 7), st.integers(1, 12)), max_size=6
)


class Real:
    """The same in a database, of which the test begins with an empty one."""

    def __init__(self, world: World, flow: list[Node]) -> None:
        self.world = world
        with world.session() as session, session.begin():
            for table in (tables.flow, tables.prerequisite, Mark, Piece, SysAsyncTicket):
                session.execute(delete(table))
            self._ask(session, flow)
            session.flush()
            self.keys = [ticket.id for ticket in self.tickets]

    def _ask(self, session: Session, flow: list[Node]) -> None:
        self.tickets: list[Any] = []
        for number, node in enumerate(flow):
            piece = Piece(name=f"{number}", failures=FOR_EVER if node.fails else 0)
            session.add(piece)
            prerequisites = [self.tickets[each] for each in node.waits_for]
            self.tickets.append(aw.after(prerequisites, getattr(piece, node.work), if_failed=node.if_failed))

    def run(self) -> None:
        self.world.run()
        self.world.run()  # what waits for nothing any more is cleared away by the look

    def crash(self, reached: int) -> None:
        """Die at one of the points of the runs, and let another server go on."""
        count = Counter[str]()

        def die(event: Event) -> None:
            count["reached"] += isinstance(event, Reached)
            if count["reached"] == reached and isinstance(event, Reached):
                raise Death

        events = self.world.app.events
        self.world.app.events = CalledInPlace([die])
        try:
            self.world.run()
        except Death:
            pass
        finally:
            self.world.app.events = events
        self.run()

    def cancel(self, number: int) -> None:
        self.world.app.control(self.world.engine).cancel_tickets([str(self.keys[number])])

    def mend_and_retry(self, number: int, has_failed: bool) -> None:
        with self.world.session() as session, session.begin():
            session.get_one(Piece, f"{number}").failures = 0
        if has_failed:
            self.world.app.control(self.world.engine).retry_tickets([str(self.keys[number])])

    def states(self) -> dict[int, str]:
        tickets = {ticket.id: ticket for ticket in self.world.all(SysAsyncTicket)}
        own = [tickets[key] for key in self.keys]
        return {
            number: "failed" if ticket.error else "done" if ticket.done else "pending"
            for number, ticket in enumerate(own)
        }

    def successes(self) -> Counter[int]:
        with self.world.session() as session:
            return Counter(map(int, marks(session)))


def test_flows_end_as_the_model_says(engine: Engine) -> None:
    world = World(engine, Base)

    @examples(one_in=20)
    @given(nodes, acts)
    def same(flow: list[Node], done: list[tuple[str, int, int]]) -> None:
        model, real = Model(flow), Real(world, flow)
        for act, which, point in [*done, ("run", 0, 0)]:
            number = which % len(flow)
            match act:
                case "cancel":
                    model.cancel(number)
                    real.cancel(number)
                case "retry":
                    real.mend_and_retry(number, model.state[number] == "failed")
                    model.mend_and_retry(number)
                case "crash":
                    model.run()
                    real.crash(point)
                case _:
                    model.run()
                    real.run()
            assert real.states() == model.state
        assert real.successes() == +model.successes

    same()


@pytest.mark.parametrize("policy", ["cancel", "run", "wait"])
def test_the_model_knows_each_policy(policy: IfFailed) -> None:
    """So that the property does not hold because its model never comes to anything."""
    model = Model([Node("do", True, frozenset(), "cancel"), Node("do", False, frozenset({0}), policy)])
    model.run()
    assert model.state[1] == {"cancel": "failed", "run": "done", "wait": "pending"}[policy]
