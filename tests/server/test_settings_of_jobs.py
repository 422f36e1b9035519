"""What a job sets on its connection holds until it has ended. Neither the next job nor the server meets with it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.kinds import KINDS, Base, SysAsyncTicket, Thing, nothing
from tests.support.world import World, errors

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

STATEMENTS = [
    "SET search_path = pg_catalog",
    "SET statement_timeout = '1ms'",
    "SET default_transaction_read_only = on",
    "SET session_replication_role = replica",
    "SET DateStyle = 'German'",
    "SET ROLE pg_monitor",
    "SET TimeZone = 'Asia/Tokyo'",
    "SELECT set_config('lock_timeout', '1ms', false)",
    "RESET ALL",
]
SHOWN = (
    "search_path", "statement_timeout", "default_transaction_read_only", "session_replication_role", "DateStyle",
    "role", "TimeZone", "idle_session_timeout",
)  # fmt: skip
CASES = [
    *((kind, statement) for kind in KINDS[:2] for statement in STATEMENTS),
    *((kind, STATEMENTS[0]) for kind in KINDS[2:]),
]


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    yield World(engine, Base)
    Thing.during = staticmethod(nothing)


def settings(session: Session) -> list[str]:
    shown = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in SHOWN)
    return list(session.execute(text(f"SELECT {shown}")).one())


def ask(world: World, *numbers: int) -> None:
    with world.session() as session, session.begin():
        for number in numbers:
            thing = Thing(id=number, n=20)
            session.add(thing)
            aw.later(thing.work)
            aw.later(thing.call)


@pytest.mark.parametrize(("kind", "statement"), CASES)
def test_no_other_run_sees_it(world: World, kind: str, statement: str) -> None:
    times = iter(range(1))
    seen: dict[str, list[list[str]]] = {}

    def do(at: str, session: Session) -> None:
        seen.setdefault(at, []).append(settings(session))
        if at == kind and next(times, None) is not None:
            session.execute(text(statement))

    Thing.during = staticmethod(do)
    ask(world, 1, 2, 3)
    world.run()
    things = [(one.inside, one.outside, one.timed, one.copied, one.state, one.total) for one in world.all(Thing)]
    assert things.count((1, 1, 1, 20, "big", 60)) >= 2
    assert errors(world.engine, SysAsyncTicket).count(None) >= 5  # the job itself may have failed for it
    for at, shown in seen.items():
        plain = [[*one[:2], "", *one[3:]] for one in shown]  # calculations and external jobs read only
        assert plain == [plain[0]] * len(plain), at


def test_what_the_application_sets_on_all_of_its_connections_stays(world: World) -> None:
    engine = create_engine(world.engine.url)

    @event.listens_for(engine, "connect")
    def give_zone(connection: Any, record: object) -> None:
        connection.execute("SET TimeZone = 'Africa/Lagos'")
        connection.commit()

    seen: list[str] = []

    def do(at: str, session: Session) -> None:
        seen.append(settings(session)[-2])
        session.execute(text("SET TimeZone = 'Asia/Tokyo'"))

    Thing.during = staticmethod(do)
    ask(world, 1, 2)
    world.app.run_until_idle(engine)
    engine.dispose()
    assert set(seen) == {"Africa/Lagos"}
    assert len(seen) > 8
