"""What has become of a run is always written down, as well as the application's own ticket table takes it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import CHAR, CheckConstraint, Engine, SmallInteger, String, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import BackOffFailed, Broken, WrittenInPart
from tests.support.postgres import Server
from tests.support.world import World, everything

TEXT = "no answer from 日本, nul \0, half a character \ud800 " * 8


@pytest.fixture
def pg(postgres_server: Server) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        engine = create_engine(url)
        yield engine
        engine.dispose()


BACKOFFS: dict[str, Any] = {
    "nothing": lambda attempt: None,
    "a number": lambda attempt: 3,
    "no number": lambda attempt: float("nan"),
    "back in time": lambda attempt: timedelta(days=-400_000),
    "the longest": lambda attempt: timedelta.max,
    "the shortest": lambda attempt: timedelta.min,
    "an exit": lambda attempt: exit(),
    "too large": lambda attempt: timedelta(days=10**9),
}

CONSTRAINTS = {
    "a short error": "length(error) <= 30",
    "no error with a space": "error IS NULL OR error NOT LIKE '% %' OR error = 'It failed; see the log.'",
    "no error": "error IS NULL",
    "nothing done": "done IS NULL",
    "done or an error": "done IS NULL OR error IS NULL",
    "no time of deletion": "delete_time IS NULL",
    "no attempts": "attempts = 0",
    "no other attempt": "execute_earliest IS NULL",
}
"""What a user's own table may ask of tickets."""


def application(*constraints: Any, retry: aw.Retry | None = None, **columns: Any) -> type[DeclarativeBase]:
    """An application whose ticket table has columns of other types than usual, or constraints."""

    class Base(DeclarativeBase): ...

    own = {"__table_args__": (*constraints, aw.AsyncTicket.__table_args__), **columns}
    own["__annotations__"] = dict.fromkeys(columns, Mapped[Any])
    Base.tickets = type("SysAsyncTicket", (aw.AsyncTicket, Base), own)

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int] = mapped_column(default=0)

        @aw.method(retry=retry)
        def fail(self) -> None:
            raise ValueError(TEXT)

        @aw.method(external=True, retry=retry)
        def fail_outside(self) -> None:
            raise ValueError(TEXT)

        @aw.method(lane="other")
        def work(self) -> None:
            self.n += 1

    class Refuses(aw.ViewModel, root=Thing):
        @aw.action
        def refuse(self) -> None:
            raise ValueError(TEXT)

        @aw.on_exception
        def failed(self, error: Exception) -> None:
            raise KeyError("also here")

    Base.thing, Base.refuses = Thing, Refuses
    return Base


def ask(world: World, *works: str) -> None:
    with world.session() as session, session.begin():
        thing = world.base.thing()
        session.add(thing)
        for work in works:
            aw.later(world.base.refuses(thing) if work == "refuse" else getattr(thing, work))


def ends(world: World) -> list[tuple[bool, str | None]]:
    """Whether each ticket is done, and its Error."""
    return [(ticket.done is not None, ticket.error) for ticket in everything(world.engine, world.base.tickets)]


@pytest.mark.parametrize("named", CONSTRAINTS)
def test_what_a_constraint_refuses_is_written_as_well_as_can_be(engine: Engine, named: str) -> None:
    refusing = CheckConstraint(CONSTRAINTS[named])
    world = World(engine, application(refusing, retry=aw.Retry(attempts=2, backoff=timedelta(0))))
    ask(world, "fail", "fail_outside", "refuse", "work")
    world.run()
    world.run()
    assert all(done or error is not None for done, error in ends(world))
    assert (ends(world)[3][1] is None) == (named not in ("nothing done", "no time of deletion", "no attempts"))
    assert any(isinstance(event, WrittenInPart) for event in world.seen)


@pytest.mark.parametrize("type_", [String(60), String(12), String(2), CHAR(30)])
def test_an_error_is_cut_to_what_its_column_holds(pg: Engine, type_: String) -> None:
    world = World(pg, application(error=mapped_column(type_, nullable=True)))
    ask(world, "fail", "fail_outside")
    world.run()
    assert type_.length is not None
    begin = "ValueError: no answer from"[: type_.length - 1]
    assert [(done, str(error)[: len(begin)], len(str(error))) for done, error in ends(world)] == [
        (True, begin, type_.length)
    ] * 2
    assert not any(isinstance(event, WrittenInPart) for event in world.seen)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_an_error_is_kept_in_whatever_encoding_the_database_has(postgres_server: Server, encoding: str) -> None:
    with postgres_server.database_in(encoding) as url:
        # SQLAlchemy itself makes nothing of a connection that names no encoding.
        engine = create_engine(url, client_encoding="utf8" if encoding == "SQL_ASCII" else None)
        world = World(engine, application(error=mapped_column(String(80), nullable=True)))
        ask(world, "fail", "refuse", "work")
        world.run()
        assert [done for done, _ in ends(world)] == [True] * 3
        assert [str(error)[:26] for _, error in ends(world)[:2]] == ["ValueError: no answer from"] * 2
        assert not any(isinstance(event, Broken | WrittenInPart) for event in world.seen)
        engine.dispose()


@pytest.mark.parametrize("backoff", BACKOFFS)
def test_a_back_off_that_is_no_span_counts_as_the_usual_one(engine: Engine, backoff: str) -> None:
    world = World(engine, application(retry=aw.Retry(attempts=2, backoff=BACKOFFS[backoff])))
    ask(world, "fail", "fail_outside", "work")
    world.run()
    assert all((done, ticket.attempts) != (False, 0) for done, ticket in _with_tickets(world))
    assert ends(world)[2] == (True, None)
    world.clock.advance(timedelta(days=40_000))
    world.run()
    assert all(done for done, _ in ends(world))  # what had ended before is gone by now
    is_span = backoff in ("back in time", "the longest", "the shortest")
    assert any(isinstance(event, BackOffFailed) for event in world.seen) != is_span


def _with_tickets(world: World) -> Iterator[tuple[bool, Any]]:
    for ticket in everything(world.engine, world.base.tickets):
        yield ticket.done is not None, ticket


@pytest.mark.parametrize(("attempts", "after"), [("NULL", 1), ("-7", 1), ("32766", 32767), ("32767", 32767)])
def test_attempts_are_counted_from_wherever_they_are(engine: Engine, attempts: str, after: int) -> None:
    columns = {"attempts": mapped_column(SmallInteger, nullable=True)}
    world = World(engine, application(retry=aw.Retry(attempts=1), **columns))
    ask(world, "work", "fail")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE sys_async_ticket SET attempts = {attempts}"))
    world.run()
    assert [(done, ticket.attempts) for done, ticket in _with_tickets(world)] == [(True, after)] * 2


def test_work_whose_attempts_can_be_counted_no_more_has_had_its_last_one(engine: Engine) -> None:
    retry = aw.Retry(attempts=40_000, backoff=timedelta(0))
    world = World(engine, application(retry=retry, attempts=mapped_column(SmallInteger, nullable=True)))
    ask(world, "fail")
    with engine.begin() as connection:
        connection.execute(text("UPDATE sys_async_ticket SET attempts = 32765"))
    world.run()
    assert [(done, ticket.attempts) for done, ticket in _with_tickets(world)] == [(True, 32767)]
