"""A ticket whose row can't be changed at all keeps nothing of its run, and holds up nobody."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import Broken, Unwritable
from afterwork.server.until_idle import run_until_idle
from afterwork.store.dialects import database_of
from tests.support.postgres import Server
from tests.support.roles import roles_in
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)

    @aw.method
    def inside(self) -> None:
        self.n += 1

    @aw.method(external=True)
    def outside(self) -> None:
        self.n += 1

    @aw.method
    def fails(self) -> None:
        self.n += 1
        raise ValueError("never")


WORKS = ("inside", "outside", "fails")


def sqlite_trigger(body: str) -> str:
    return f"CREATE TRIGGER refuse BEFORE UPDATE ON sys_async_ticket WHEN old.id = 2 BEGIN SELECT {body}; END"


def postgresql_trigger(body: str) -> str:
    return (
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END';"
        "CREATE TRIGGER refuse BEFORE UPDATE ON sys_async_ticket FOR EACH ROW WHEN (old.id = 2)"
        " EXECUTE FUNCTION refuse()"
    )


REFUSALS: dict[str, dict[str, str]] = {
    "raises": {
        "sqlite": sqlite_trigger("raise(ABORT, 'not this one')"),
        "postgresql": postgresql_trigger("RAISE ''not this one'';"),
    },
    "passes over it in silence": {
        "sqlite": sqlite_trigger("raise(IGNORE)"),
        "postgresql": postgresql_trigger("RETURN NULL;"),
    },
    "ends the transaction": {
        "sqlite": sqlite_trigger("raise(ROLLBACK, 'not this one')"),
        "postgresql": postgresql_trigger("RAISE serialization_failure;"),
    },
}


A_MINUTE = [1] * 8 + [2] * 6 + [5] * 8
"""Seconds between two looks: the pauses that are looked for grow."""


def numbers(engine: Engine) -> list[int]:
    with Session(engine) as session:
        return list(session.scalars(select(Thing.n).order_by(Thing.id)))


def pending(engine: Engine) -> list[int]:
    with Session(engine) as session:
        waiting = select(SysAsyncTicket.id).where(SysAsyncTicket.done.is_(None))
        return list(session.scalars(waiting.order_by(SysAsyncTicket.id)))


def ask(world: World, *works: str) -> None:
    """Tickets 1, 2, 3, … on things of their own."""
    with world.session() as session, session.begin():
        for work in works:
            thing = Thing()
            session.add(thing)
            aw.later(getattr(thing, work))
            session.flush()


@contextmanager
def one_server(world: World, engine: Engine) -> Iterator[Callable[[], list[Any]]]:
    """A server that remembers, and runs what is due when asked. It returns the tickets, in order of their keys."""
    database = database_of(engine, world.settings)
    with closing(database.connect()) as connection:
        runner = world.app.runner(database, connection)
        yield lambda: sorted(run.ticket for ran in run_until_idle(runner, connection) for run, _ in ran)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_it_waits_longer_each_time_while_the_rest_of_its_lane_goes_on(engine: Engine, refusal: str, work: str) -> None:
    world = World(engine, Base)
    ask(world, "inside", work, "inside", "inside")
    with engine.begin() as connection:
        connection.exec_driver_sql(REFUSALS[refusal][engine.dialect.name])

    with one_server(world, engine) as run:
        assert run() == [1, 2, 3, 4]
        assert (pending(engine), numbers(engine)) == ([2], [1, 0, 1, 1])
        tries = []
        for seconds in A_MINUTE:
            world.clock.advance(timedelta(seconds=seconds))
            tries.append(run())
        assert (pending(engine), numbers(engine)) == ([2], [1, 0, 1, 1])
        assert 4 <= tries.count([2]) <= 8
        assert tries.count([]) == len(A_MINUTE) - tries.count([2])
    said = [event for event in world.seen if isinstance(event, Unwritable)]
    assert len(said) == (0 if (refusal, engine.dialect.name) == ("ends the transaction", "postgresql") else 1)

    with engine.begin() as connection:
        on = " ON sys_async_ticket" if engine.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER refuse{on}")
        assert connection.execute(text("SELECT count(*) FROM afterwork_lease")).scalar() == 0
    world.clock.advance(timedelta(minutes=1))
    world.run()
    assert pending(engine) == []
    assert not any(isinstance(event, Broken) for event in world.seen)


POLICIES = {
    "hidden from locks": "USING (id <> 2)",
    "refused when written": "USING (true) WITH CHECK (id <> 2 OR done IS NULL AND error IS NULL)",
    "hidden together with others": "USING (id NOT IN (1, 2))",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_that_lets_the_server_read_and_not_write_stops_no_other(postgres_server: Server, policy: str) -> None:
    with postgres_server.fresh_database() as url, roles_in(make_url(url)) as roles:
        world = World(roles.engine(roles.owner), Base)
        roles.as_owner(
            "GRANT USAGE ON SCHEMA app TO {server}",
            "GRANT ALL ON ALL TABLES IN SCHEMA app TO {server}",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA app TO {server}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO {server}",
            "ALTER TABLE sys_async_ticket ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY reading ON sys_async_ticket FOR SELECT USING (true)",
            "CREATE POLICY adding ON sys_async_ticket FOR INSERT WITH CHECK (true)",
            f"CREATE POLICY writing ON sys_async_ticket FOR UPDATE {POLICIES[policy]}",
        )
        ask(world, "inside", "inside", "inside")
        with world.session() as session, session.begin():
            thing = Thing()
            session.add(thing)
            aw.later(thing.inside, priority=5)
            session.flush()
            session.execute(text("UPDATE sys_async_ticket SET priority = 3 WHERE id = 3"))

        with one_server(world, roles.engine(roles.server)) as run:
            run()
            left = pending(world.engine)
            assert left == ([1, 2] if policy == "hidden together with others" else [2])
            assert numbers(world.engine) == [int(number not in left) for number in (1, 2, 3, 4)]
            assert not run()
            roles.as_owner(
                "DROP POLICY writing ON sys_async_ticket", "CREATE POLICY w ON sys_async_ticket USING (true)"
            )
            world.clock.advance(timedelta(minutes=1))
            run()
        assert pending(world.engine) == []
        assert {type(event) for event in world.seen if isinstance(event, Broken | Unwritable)} == {Unwritable}
