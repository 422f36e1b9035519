"""A class with a machine, made anew for each test, since declarations last as long as their base."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.world import World


class Flow(StateChart[Any]):
    """Goes to paid by an event, and from there to sent by itself."""

    cart = State(initial=True)
    paid = State()
    sent = State(final=True)
    pay = cart.to(paid)
    paid.to(sent, cond="is_packed")


def a_base() -> Any:
    """Return a declarative base with tickets, and nothing else yet."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    Base.tickets = SysAsyncTicket  # which keeps it alive
    return Base


def an_order(base: Any, chart: Any = Flow) -> Any:
    class Order(base):  # type: ignore[misc]
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        is_packed: Mapped[bool] = mapped_column(default=False)
        flow = aw.machine(chart, state=state)

    return Order


def saved(world: World, obj: Any) -> None:
    with world.session() as session, session.begin():
        session.add(obj)


def stored(world: World, table: str = "orders", column: str = "state") -> Any:
    with world.engine.connect() as connection:
        return connection.execute(text(f"SELECT {column} FROM {table}")).scalar()
