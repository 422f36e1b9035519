"""`aw.later_many`: the same rows as `aw.later` makes, by few statements."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadArguments, BadRequest, NoSession
from tests.support.world import World, everything, statements


class Base(aw.Model["SysAsyncTicket"], DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    refunded: Mapped[str] = mapped_column(default="")

    @aw.method
    def remind(self) -> None: ...

    @aw.method(lane="mail")
    def write(self) -> None: ...

    @aw.method
    def refund(self, amount: Decimal, *, like: "Order | None" = None) -> None:
        self.refunded = f"{amount} {None if like is None else like.id}"

    @aw.method(external=True)
    def ask_for_many(self) -> None:
        aw.later_many([self.remind, self.refund.given(Decimal(1))], after=timedelta(hours=1))

    @aw.method(external=True)
    def ask_too_early(self) -> None:
        aw.after(aw.later_many([self.remind]), self.write)


class Tidy(aw.ViewModel, model=Base):
    days: int = aw.variable()

    @aw.action
    def tidy(self) -> None: ...


class Letter(aw.ViewModel[Order, "SysAsyncTicket"]):
    @aw.action
    def write(self) -> None: ...


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def rows(engine: Engine, cls: Any = SysAsyncTicket) -> list[dict[str, Any]]:
    """What all tickets have in common with others that were asked for at another moment."""
    left_out = {"id", "created"}
    with Session(engine) as session:
        table = cls.__table__
        columns = [column for column in table.columns if column.name not in left_out]
        return [dict(row) for row in session.execute(select(*columns).order_by(table.c.id)).mappings()]


LATER: dict[str, Any] = {"at": datetime(2030, 1, 1, tzinfo=UTC), "keep": timedelta(hours=2), "priority": 3}

REQUESTS: dict[str, Callable[[Session, list[Order]], tuple[list[Any], dict[str, Any]]]] = {
    "methods": lambda session, orders: ([order.remind for order in orders], {}),
    "lanes of works": lambda session, orders: ([order.write for order in orders], {}),
    "different works": lambda session, orders: ([orders[0].write, orders[1].remind, Letter(orders[0])], {}),
    "arguments": lambda session, orders: (
        [orders[0].refund.given(Decimal("1.50"), like=orders[1]), orders[1].remind],
        {},
    ),
    "options": lambda session, orders: ([order.remind for order in orders], LATER),
    "a lane": lambda session, orders: ([order.write for order in orders], {"lane": "other"}),
    "in parallel": lambda session, orders: ([order.write for order in orders], {"lane": None}),
    "expiry": lambda session, orders: ([orders[0].remind], {"not_after": datetime(2031, 1, 1, tzinfo=UTC)}),
    "without a root": lambda session, orders: ([Tidy(days=3), Tidy(days=4)], {"session": session}),
}


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("are_new", [True, False])
def test_the_rows_are_those_of_single_requests(world: World, request_name: str, are_new: bool) -> None:
    def ask(each: bool) -> list[dict[str, Any]]:
        with world.session() as session, session.begin():
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
            orders = [Order(id=1), Order(id=2)]
            session.add_all(orders)
            if not are_new:
                session.flush()
            works, options = REQUESTS[request_name](session, orders)
            if each:
                for work in works:
                    aw.later(work, **options)
            else:
                many = aw.later_many(works, **options)
                assert len(many) == len(works)
        return rows(world.engine)

    assert ask(each=False) == ask(each=True)


def test_roots_get_their_keys_in_the_same_transaction(world: World) -> None:
    with world.session() as session, session.begin():
        orders = [Order() for _ in range(3)]
        session.add_all(orders)
        many = aw.later_many(order.remind for order in orders)

    tickets = everything(world.engine, SysAsyncTicket)
    assert [ticket.root_id for ticket in tickets] == ["Order!1", "Order!2", "Order!3"]
    assert list(many.keys) == [ticket.id for ticket in tickets]


def test_they_run(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later_many([order.refund.given(Decimal("2.5"), like=order)])

    world.run()

    assert everything(world.engine, Order)[0].refunded == "2.5 1"


def test_it_is_undone_with_its_transaction(world: World) -> None:
    with world.session() as session:
        order = Order()
        session.add(order)
        aw.later_many([order.remind])
        session.rollback()

    assert everything(world.engine, SysAsyncTicket) == []


def test_few_statements_insert_many(world: World) -> None:
    with world.session() as session, session.begin():
        session.add_all(Order() for _ in range(300))
        orders = session.scalars(select(Order)).all()
        with statements(world.engine) as sent:
            aw.later_many(order.remind for order in orders)

    assert len(sent) == 1


def test_nothing_is_asked_for_nothing(world: World) -> None:
    with statements(world.engine) as sent:
        assert len(aw.later_many([])) == 0
    assert sent == []


def test_an_external_run_asks_for_many_when_it_returns(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(order.ask_for_many)

    world.run()

    works = [ticket.view_model for ticket in everything(world.engine, SysAsyncTicket)]
    assert works == ["Order.ask_for_many", "Order.remind", "Order.refund"]


def test_nothing_waits_for_many_that_an_external_run_asks_for(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(order.ask_too_early)

    world.run()

    (ticket,) = everything(world.engine, SysAsyncTicket)
    assert "nothing can wait for them before" in ticket.error


def wrong(session: Session, order: Order) -> dict[type[Exception], tuple[list[Any], dict[str, Any]]]:
    return {
        BadArguments: ([order.remind, order.refund], {}),
        BadRequest: ([order.remind, Order().remind], {}),
        NoSession: ([Tidy(days=1)], {}),
    }


@pytest.mark.parametrize("error", [BadArguments, BadRequest, NoSession])
def test_what_is_wrong_is_refused_before_anything_is_saved(world: World, error: type[Exception]) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        works, options = wrong(session, order)[error]
        with pytest.raises(error):
            aw.later_many(works, **options)

    assert everything(world.engine, SysAsyncTicket) == []


def test_options_of_a_wrong_kind_are_refused(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        with pytest.raises(BadRequest, match="priority='high'"):
            aw.later_many([order.remind], priority="high")  # type: ignore[arg-type]


class OwnBase(aw.Model["OwnTickets.SysAsyncTicket"], DeclarativeBase): ...


class OwnTickets:
    """A ticket class with keys and columns of its own, whose defaults differ from row to row."""

    class SysAsyncTicket(OwnBase):
        __tablename__ = "own_ticket"
        id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
        view_model: Mapped[str | None] = mapped_column(Text)
        root_id: Mapped[str | None] = mapped_column(Text)
        execute_earliest: Mapped[datetime | None]
        keep_receipt_minutes: Mapped[int]
        done: Mapped[datetime | None]
        delete_time: Mapped[datetime | None]
        error: Mapped[str | None] = mapped_column(Text)
        arguments: Mapped[str | None] = mapped_column(Text)


class Thing(OwnBase):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(default=0)

    @aw.method
    def grow(self, by: int) -> None:
        self.size += by


def test_tables_with_defaults_for_each_row_work_as_well(engine: Engine) -> None:
    world = World(engine, OwnBase)
    with world.session() as session, session.begin():
        thing = Thing()
        session.add(thing)
        many = aw.later_many([thing.grow.given(1), thing.grow.given(2)])
        aw.after(many, thing.grow.given(10))

    world.run()

    assert everything(engine, Thing)[0].size == 13
