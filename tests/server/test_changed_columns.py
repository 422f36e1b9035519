"""A migration changes the type of a column while servers run, whose statements stay prepared from before."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Broken, Failed, RoundFailed
from afterwork.jobs.runner import Runner
from afterwork.server.until_idle import run_until_idle
from afterwork.store.dialects import database_of
from tests.support.kinds import KINDS, Base, SysAsyncTicket, Thing, nothing
from tests.support.world import World, errors

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

OFTEN = 7
"""After so many times, a statement is prepared."""

BEFORE = 10
"""With one more than this, the machine of a thing moves."""

MIGRATIONS = [
    "ALTER TABLE thing ALTER COLUMN n TYPE bigint",
    "ALTER TABLE thing ALTER COLUMN id TYPE bigint",
    "ALTER TABLE thing ALTER COLUMN state TYPE varchar(200)",
    "ALTER TABLE thing ADD COLUMN another int",
    "ALTER TABLE sys_async_ticket ALTER COLUMN error TYPE varchar(4000)",
    "ALTER TABLE sys_async_ticket ALTER COLUMN id TYPE bigint",
    "ALTER TABLE sys_async_ticket ALTER COLUMN view_model TYPE varchar(300), ALTER COLUMN root_id TYPE varchar(300),"
    " ALTER COLUMN lane TYPE varchar(100), ALTER COLUMN priority TYPE smallint",
]


class Worn:
    """A server's connection on which all its statements are prepared."""

    def __init__(self, world: World, connection: Connection) -> None:
        self.world = world
        self._connection = connection
        database = database_of(connection.engine, world.settings)
        self._runner: Runner = world.app.runner(database, connection)
        self.rounds = 0

    def round(self) -> None:
        """Have each kind of run once."""
        self.rounds += 1
        self.world.clock.advance(timedelta(minutes=10))
        with Session(self.world.engine) as session, session.begin():
            session.execute(text("DELETE FROM afterwork_once"))  # so that it runs once more
            thing = session.get_one(Thing, 1)
            thing.n += 1
            aw.later(thing.work)
            aw.later(thing.call)
        list(run_until_idle(self._runner, self._connection))


@pytest.fixture
def seen() -> Iterator[list[str]]:
    """The kinds of runs that there were, each of which reads all that there is."""
    found: list[str] = []

    def read(kind: str, session: Session) -> None:
        session.scalars(select(Thing).execution_options(populate_existing=True)).all()
        session.scalars(select(SysAsyncTicket)).all()
        found.append(kind)

    Thing.during = staticmethod(read)
    yield found
    Thing.during = staticmethod(nothing)


@pytest.fixture
def worn(engine: Engine, seen: list[str]) -> Iterator[Worn]:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add(Thing(id=1, n=BEFORE))
    with closing(database_of(engine, world.settings).connect()) as connection:
        made = Worn(world, connection)
        for _ in range(OFTEN):
            made.round()
        yield made


@pytest.mark.parametrize("migration", MIGRATIONS)
def test_each_kind_of_run_goes_on_as_before(worn: Worn, seen: list[str], migration: str) -> None:
    engine = worn.world.engine
    with engine.begin() as connection:
        connection.execute(text(migration))
    engine.dispose()  # the connections of the application itself
    seen.clear()

    worn.round()
    assert {*seen, "machine"} == set(KINDS)  # the machine has come to its end before
    (thing,) = worn.world.all(Thing)
    assert (thing.inside, thing.outside, thing.timed) == (worn.rounds,) * 3
    assert (thing.n, thing.total, thing.copied) == (BEFORE + worn.rounds,) * 3
    assert thing.state == "big"
    assert set(errors(engine, SysAsyncTicket)) == {None}
    assert not [event for event in worn.world.seen if isinstance(event, Broken | Failed | RoundFailed)]
