"""Tickets are rows of the application, and people change them. What they say counts."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import WasWithdrawn
from tests.support.world import World, everything, the_only


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


MEANWHILE: list[Callable[[], object]] = []
KEPT: list[Session] = []


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)

    @aw.method(external=True)
    def call(self) -> None:
        self.n += 1
        MEANWHILE.pop()()

    @aw.method(external=True)
    def call_and_fail(self) -> None:
        MEANWHILE.pop()()
        raise ValueError("no answer")

    @aw.method
    def keep(self) -> None:
        KEPT.append(aw.session(self))

    @aw.method(external=True)
    def keep_outside(self) -> None:
        KEPT.append(aw.session(self))

    @aw.method
    def work(self) -> None:
        self.n += 1


@pytest.fixture
def world(engine: Engine) -> World:
    MEANWHILE.clear()
    KEPT.clear()
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add(Thing())
    return world


def ask(world: World, work: str) -> None:
    with world.session() as session, session.begin():
        aw.later(getattr(session.get_one(Thing, 1), work))


def say(world: World, statement: str) -> None:
    """Say something in SQL on another connection."""
    engine = create_engine(world.engine.url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("work", ["call", "call_and_fail"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM sys_async_ticket",
        "UPDATE sys_async_ticket SET error = 'called off'",
        "UPDATE sys_async_ticket SET done = CURRENT_TIMESTAMP",
    ],
)
def test_nothing_is_saved_of_a_run_whose_ticket_was_ended_or_deleted_meanwhile(
    world: World, statement: str, work: str
) -> None:
    ask(world, work)
    MEANWHILE.append(lambda: say(world, statement))
    world.run()
    assert the_only(world.engine, Thing).n == 0
    assert [ticket.error for ticket in everything(world.engine, SysAsyncTicket)] in ([], ["called off"], [None])
    assert sum(isinstance(event, WasWithdrawn) for event in world.seen) == 1

    ask(world, "work")  # whose lane is free
    world.run()
    assert the_only(world.engine, Thing).n == 1


@pytest.mark.parametrize("use", ["add", "execute", "get", "begin_nested"])
@pytest.mark.parametrize("work", ["keep", "keep_outside"])
def test_the_session_of_a_job_can_t_be_used_when_its_run_has_ended(world: World, work: str, use: str) -> None:
    ask(world, work)
    world.run()
    (kept,) = KEPT
    uses: dict[str, Callable[[], object]] = {
        "add": lambda: kept.add(Thing()),
        "execute": lambda: kept.execute(text("SELECT 1")),
        "get": lambda: kept.get(Thing, 1),
        "begin_nested": kept.begin_nested,
    }
    with pytest.raises(Exception, match="closed"):
        uses[use]()
    assert len(everything(world.engine, Thing)) == 1


@pytest.mark.parametrize("gone", ["deleted elsewhere", "deleted here", "out of the session"])
def test_a_ticket_whose_root_is_gone_can_be_changed(world: World, gone: str) -> None:
    with world.session() as session:
        thing = session.get_one(Thing, 1)
        ticket = aw.later(thing.work)
        session.commit()
        session.expire_all()
        match gone:
            case "deleted elsewhere":
                say(world, "DELETE FROM thing")
            case "deleted here":
                session.delete(thing)
                session.flush()
            case _:
                session.expunge(thing)
        ticket.priority = 2
        session.commit()
    assert [(one.root_id, one.priority) for one in everything(world.engine, SysAsyncTicket)] == [("Thing!1", 2)]


@pytest.mark.parametrize("is_added", [False, True])
def test_a_merged_ticket_has_the_id_of_its_new_root(world: World, is_added: bool) -> None:
    with world.session() as session, session.begin():
        thing = Thing()
        if is_added:
            session.add(thing)
        merged = session.merge(SysAsyncTicket(view_model="Thing.work", root_object=thing))
        assert (merged.root_object is thing) == is_added
    assert the_only(world.engine, SysAsyncTicket).root_id == "Thing!2"
    assert len(everything(world.engine, Thing)) == 2


def test_tickets_that_are_saved_in_bulk_before_their_roots_are_refused(world: World) -> None:
    with world.session() as session:
        thing = Thing()
        session.add(thing)
        with pytest.raises(Exception, match="root is not saved yet"):
            session.bulk_save_objects([SysAsyncTicket(view_model="Thing.work", root_object=thing)])
    assert everything(world.engine, SysAsyncTicket) == []


def test_tickets_that_are_saved_in_bulk_after_their_roots_have_their_ids(world: World) -> None:
    with world.session() as session, session.begin():
        things = [Thing(), Thing()]
        session.add_all(things)
        session.flush()
        session.bulk_save_objects([SysAsyncTicket(view_model="Thing.work", root_object=thing) for thing in things])
    assert [one.root_id for one in everything(world.engine, SysAsyncTicket)] == ["Thing!2", "Thing!3"]
