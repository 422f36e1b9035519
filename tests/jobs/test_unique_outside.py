"""Unique requests of external runs, which have no transaction open: they are decided when the run is saved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World, errors, everything

NEXT_YEAR = datetime(2099, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")

    asks: ClassVar[Callable[["Parcel"], object]]

    @aw.method(external=True)
    def ship(self) -> None:
        Parcel.asks(self)

    @aw.method(external=True)
    async def ship_async(self) -> None:
        Parcel.asks(self)

    @aw.method(external=True)
    async def ship_by_aio(self) -> None:
        await aw.aio.later(self.mark, unique=True)

    @aw.method
    def mark(self) -> None:
        self.log += "marked"

    @aw.method
    def sort(self) -> None: ...

    @aw.method
    def note(self, text: str) -> None:
        self.log += text


@pytest.fixture
def world(engine: Engine) -> World:
    Parcel.asks = staticmethod(lambda parcel: aw.later(parcel.mark, unique=True))
    return World(engine, Base)


@pytest.fixture(params=["ship", "ship_async"])
def outside(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(world: World, *names: str, at: datetime | None = None) -> None:
    """Ask for works on the one parcel."""
    with world.session() as session, session.begin():
        parcel = session.get(Parcel, 1) or Parcel(id=1)
        session.add(parcel)
        for name in names:
            aw.later(getattr(parcel, name), at=at)


def works(world: World) -> list[str]:
    return [ticket.view_model.removeprefix("Parcel.") for ticket in everything(world.engine, SysAsyncTicket)]


def number(name: str) -> int:
    """The number by which PostgreSQL locks a name."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def log(world: World) -> str:
    (parcel,) = everything(world.engine, Parcel)
    return str(parcel.log)


def test_it_asks_if_nothing_is_pending(world: World, outside: str) -> None:
    ask(world, outside)
    world.run()
    assert works(world) == [outside, "mark"]
    assert errors(world.engine, SysAsyncTicket) == [None, None]
    assert log(world) == "marked"


def test_by_aio_it_asks_as_well(world: World) -> None:
    ask(world, "ship_by_aio")
    world.run()
    assert works(world) == ["ship_by_aio", "mark"]
    assert log(world) == "marked"


def test_it_joins_what_is_pending_and_brings_it_forward(world: World, outside: str) -> None:
    ask(world, "mark", at=NEXT_YEAR)
    ask(world, outside)
    world.run()
    assert works(world) == ["mark", outside]
    assert log(world) == "marked"


def test_it_joins_what_others_have_asked_for_while_it_was_running(world: World, outside: str) -> None:
    def others_ask_after_it(parcel: Parcel) -> None:
        aw.later(parcel.mark, unique=True)
        ask(world, "mark")

    Parcel.asks = staticmethod(others_ask_after_it)
    ask(world, outside)
    world.run()
    assert works(world) == [outside, "mark"]
    assert log(world) == "marked"


def test_two_requests_of_one_run_are_one(world: World, outside: str) -> None:
    def twice(parcel: Parcel) -> None:
        assert aw.later(parcel.mark, unique=True) is aw.later(parcel.mark, unique=True)

    Parcel.asks = staticmethod(twice)
    ask(world, outside)
    world.run()
    assert works(world) == [outside, "mark"]


def test_it_joins_what_the_same_run_has_asked_for_before(world: World, outside: str) -> None:
    def plainly_then_uniquely(parcel: Parcel) -> None:
        assert aw.later(parcel.mark) is aw.later(parcel.mark, unique=True)

    Parcel.asks = staticmethod(plainly_then_uniquely)
    ask(world, outside)
    world.run()
    assert works(world) == [outside, "mark"]


def test_other_arguments_are_another_request(world: World, outside: str) -> None:
    def twice(parcel: Parcel) -> None:
        aw.later(parcel.note.given("a"), unique=True)
        aw.later(parcel.note.given("b"), unique=True)
        aw.later(parcel.note.given("a"), unique=True)

    Parcel.asks = staticmethod(twice)
    ask(world, outside)
    world.run()
    assert works(world) == [outside, "note", "note"]
    assert log(world) == "ab"


def test_it_never_joins_its_own_ticket(world: World, outside: str) -> None:
    def again(parcel: Parcel) -> None:
        if not parcel.log:
            parcel.log = "once more, "
            aw.later(getattr(parcel, outside), unique=True)

    Parcel.asks = staticmethod(again)
    ask(world, outside)
    world.run()
    assert works(world) == [outside, outside]
    assert errors(world.engine, SysAsyncTicket) == [None, None]


def test_it_asks_for_what_is_new_in_the_same_run(world: World, outside: str) -> None:
    def for_another(parcel: Parcel) -> None:
        another = Parcel(id=2)
        aw.session(parcel).add(another)
        aw.later(another.mark, unique=True)

    Parcel.asks = staticmethod(for_another)
    ask(world, outside)
    world.run()
    assert [parcel.log for parcel in everything(world.engine, Parcel)] == ["", "marked"]


def test_what_the_run_changes_of_a_pending_ticket_stays_when_it_joins_that(world: World, outside: str) -> None:
    def changes(parcel: Parcel) -> None:
        aw.session(parcel).merge(stored, load=False).keep_receipt_minutes = 77
        aw.later(parcel.mark, unique=True)

    ask(world, "mark", at=NEXT_YEAR)
    (stored,) = everything(world.engine, SysAsyncTicket)
    Parcel.asks = staticmethod(changes)
    ask(world, outside)
    world.run()
    assert [ticket.keep_receipt_minutes for ticket in everything(world.engine, SysAsyncTicket)] == [77, 10]
    assert works(world) == ["mark", outside]


def test_a_run_that_fails_has_asked_for_nothing(world: World, outside: str) -> None:
    def fails(parcel: Parcel) -> None:
        aw.later(parcel.mark, unique=True)
        raise ValueError("no stock")

    Parcel.asks = staticmethod(fails)
    ask(world, outside)
    world.run()
    assert works(world) == [outside]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("in_order", [True, False])
def test_runs_that_ask_in_opposite_orders_lock_in_the_same_order(
    world: World, engine: Engine, outside: str, in_order: bool
) -> None:
    """Otherwise each could wait for what the other has locked."""

    def asks(parcel: Parcel) -> None:
        for work in [parcel.mark, parcel.sort] if in_order else [parcel.sort, parcel.mark]:
            aw.later(work, unique=True)

    locked: list[object] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        if "pg_advisory_xact_lock" in statement:
            locked.append(*parameters.values())

    Parcel.asks = staticmethod(asks)
    ask(world, outside)
    event.listen(engine, "before_cursor_execute", note)
    world.run()
    event.remove(engine, "before_cursor_execute", note)

    assert list(dict.fromkeys(locked)) == [number("Parcel!1 Parcel.mark"), number("Parcel!1 Parcel.sort")]
    assert set(works(world)) == {outside, "mark", "sort"}


def test_nothing_can_wait_for_it_before_the_run_ends(world: World, outside: str) -> None:
    def flows(parcel: Parcel) -> None:
        aw.after([aw.later(parcel.mark, unique=True)], parcel.note.given("then"))

    Parcel.asks = staticmethod(flows)
    ask(world, outside)
    world.run()
    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert "was asked for with unique=, and an external run finds out only when it returns" in error


def test_a_delayed_request_postpones_nothing_that_is_due_sooner(world: World) -> None:
    soon = datetime.now(UTC) + timedelta(days=365)

    def later_still(parcel: Parcel) -> None:
        aw.later(parcel.mark, unique=True, at=NEXT_YEAR)

    Parcel.asks = staticmethod(later_still)
    ask(world, "mark", at=soon)
    before = everything(world.engine, SysAsyncTicket)[0].execute_earliest
    ask(world, "ship")
    world.run()
    assert errors(world.engine, SysAsyncTicket) == [None, None]
    assert everything(world.engine, SysAsyncTicket)[0].execute_earliest == before
    assert works(world) == ["mark", "ship"]
