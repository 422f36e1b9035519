"""Whatever is written by whomever, and wherever servers die: at each quiet moment no machine can move by itself, each
move had its guard true, each state was entered once, and what was asked for while states last waits for those that do.

`make prove` tries it with 1,000 histories on each database, shared by the ways to deal out the guards.
"""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine, delete, event, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NotInThisState, StateHasChanged
from afterwork.events import Event, Reached
from tests.properties.caches.servers import LongLived
from tests.properties.conftest import examples
from tests.properties.machines import Model, check, events_of, model
from tests.support.death import Death
from tests.support.prepared import installed

MODELS = [model(number) for number in range(3)]
SETTINGS = aw.Settings(lease=timedelta(milliseconds=1), lock_limit=timedelta(milliseconds=50), crash_limit=1_000_000)

boxes = st.integers(1, 3)
numbers = st.integers(0, 6)
servers = st.integers(0, 1)


class ServerAtHand:
    """A server that has been there for long: it knows what it has met. `listen` is told what it does."""

    def __init__(self, model: Model, clock: aw.Clock) -> None:
        self.app = LongLived(model.base, clock=clock, settings=SETTINGS, on_event=self._hear)
        self._listen: Callable[[Event], None] | None = None

    def _hear(self, happened: Event) -> None:
        if self._listen is not None:
            self._listen(happened)

    def run(self, engine: Engine, listen: Callable[[Event], None] | None = None) -> list[aw.Ended]:
        """Run all that is due."""
        self._listen = listen
        return self.app.run_until_idle(engine)


class World:
    """Boxes in one database, and two servers."""

    def __init__(self, engine: Engine, model: Model) -> None:
        self.engine, self.model, self.clock = engine, model, aw.ManualClock()
        self.servers = [self._new_server(), self._new_server()]
        installed(engine, model.base)
        self.part = itertools.count(1)

    def _new_server(self) -> ServerAtHand:
        return ServerAtHand(self.model, self.clock)

    def run_and_die(self, server: int, at: int) -> None:
        """Let a server run until it comes to a point with this number, where it dies. Another one takes its place."""
        points = itertools.count()

        def die(happened: Event) -> None:
            if isinstance(happened, Reached) and next(points) == at:
                raise Death

        try:
            self.servers[server].run(self.engine, die)
        except Death:
            self.servers[server] = self._new_server()

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def sql(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def clear(self) -> None:
        with self.session() as session, session.begin():
            for table in reversed(self.model.base.metadata.sorted_tables):
                session.execute(delete(table))
            session.execute(text("DELETE FROM afterwork_transition"))
            session.add(self.model.moment(id=1, now=self.clock.now()))
        self.servers[0].run(self.engine)

    def advance(self, span: timedelta) -> None:
        self.clock.advance(span)
        with self.session() as session, session.begin():
            session.get_one(self.model.moment, 1).now = self.clock.now()

    def box(self, session: Session, number: int) -> Any:
        """The box with a number; it is new if it is not there."""
        box = session.get(self.model.box, number)
        if box is None:
            box = self.model.box(id=number, level=0, weight=0)
            session.add(box)
            session.flush()
        return box

    def send(self, number: int, event: int) -> None:
        """A user takes an event, if that is possible."""
        with self.session() as session:
            try:
                for bound in events_of(self.box(session, number), event):
                    if aw.can(bound):
                        bound()
                session.commit()
            except (NotInThisState, StateHasChanged):
                session.rollback()

    def settle(self, server: int = 0) -> None:
        """Let a server run until nothing is left. Then all must be as it must be."""
        ended = self.servers[server].run(self.engine)
        assert [run for run in ended if isinstance(run.outcome, aw.Raised)] == []
        with self.session() as session:
            history = session.execute(text("SELECT * FROM afterwork_transition ORDER BY id")).all()
            check(self.model, session, history, self.clock.now())


class MachinesMachine(RuleBasedStateMachine):
    """Users and servers, on one database."""

    world: World

    @initialize()
    def begin(self) -> None:
        self.world.clear()

    # Users.

    @rule(box=boxes, level=numbers, hours=st.integers(-1, 3), commits=st.sampled_from([True, True, False]))
    def write_by_objects(self, box: int, level: int, hours: int, commits: bool) -> None:
        with self.world.session() as session:
            written = self.world.box(session, box)
            written.level = level
            written.due = self.world.clock.now() + timedelta(hours=hours)
            if commits:
                session.commit()

    @rule(box=boxes, weight=numbers, commits=st.sampled_from([True, True, False]))
    def add_a_part(self, box: int, weight: int, commits: bool) -> None:
        with self.world.session() as session:
            changed = self.world.box(session, box)
            changed.parts.append(self.world.model.part(id=next(self.world.part), weight=weight))
            session.flush()
            if commits:
                session.commit()

    @rule(box=boxes, level=numbers)
    def write_in_bulk(self, box: int, level: int) -> None:
        with self.world.session() as session, session.begin():
            session.execute(update(self.world.model.box).where(self.world.model.box.id >= box).values(level=level))

    @rule(box=boxes, other=boxes, act=st.integers(0, 3))
    def write_by_another_program(self, box: int, other: int, act: int) -> None:
        if act == 0:
            self.world.sql("DELETE FROM part WHERE box_id = :box", box=box)
        elif act == 1:
            exists = "EXISTS (SELECT 1 FROM box WHERE id = :other)"
            self.world.sql(f"UPDATE part SET box_id = :other WHERE box_id = :box AND {exists}", box=box, other=other)
        elif act == 2:
            self.world.sql("UPDATE part SET weight = weight + 3 WHERE box_id = :box", box=box)
        else:
            new = "INSERT INTO box (id, level, weight, ticks) SELECT :box, 3, 0, 0"
            self.world.sql(f"{new} WHERE NOT EXISTS (SELECT 1 FROM box WHERE id = :box)", box=box)

    @rule(box=boxes, event=numbers)
    def take_an_event(self, box: int, event: int) -> None:
        self.world.send(box, event)

    @rule(box=boxes, event=numbers)
    def ask_for_an_event(self, box: int, event: int) -> None:
        with self.world.session() as session, session.begin():
            for bound in events_of(self.world.box(session, box), event):
                aw.later(bound)

    @rule(minutes=st.sampled_from([5, 45, 90]))
    def wait(self, minutes: int) -> None:
        self.world.advance(timedelta(minutes=minutes))

    # Servers.

    @rule(server=servers, at=st.integers(0, 20))
    def run_and_die(self, server: int, at: int) -> None:
        self.world.run_and_die(server, at)

    @rule(server=servers, box=boxes, event=numbers, level=numbers)
    def run_while_a_user_moves_and_writes(self, server: int, box: int, event: int, level: int) -> None:
        self.write_in_bulk(box, 6)
        times = itertools.count()

        def disturb(happened: Event) -> None:
            match happened:
                case Reached("claimed", "Box.flat" | "Box.nested" | "Box.parallel") if next(times) == 0:
                    self.world.send(box, event)
                    self.write_in_bulk(box, level)

        self.world.servers[server].run(self.world.engine, disturb)

    @rule(server=servers)
    def settle(self, server: int) -> None:
        self.world.settle(server)

    def teardown(self) -> None:
        self.world.settle()


@pytest.fixture(params=range(len(MODELS)))
def world(engine: Engine, request: pytest.FixtureRequest) -> World:
    if engine.dialect.name == "sqlite":  # no death here is one of the machine
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    return World(engine, MODELS[request.param])


def test_machines_play_by_themselves_whatever_happens(world: World) -> None:
    machine = type("Machine", (MachinesMachine,), {"world": world})
    run_state_machine_as_test(machine, settings=examples(one_in=10 * len(MODELS)))
