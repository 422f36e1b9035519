"""Orders with a state machine: they are paid when payments cover their total, and go on from there by themselves."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, ForeignKey, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.model.utc_datetime import UtcDateTime
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


@aw.track_history
class OrderFlow(StateChart[Any]):
    """From the cart to the customer."""

    cart = State(initial=True)
    placed = State()
    paid = State()
    packed = State()
    shipped = State()
    delivered = State(final=True)
    cancelled = State(final=True)

    place = cart.to(placed)
    cancel = placed.to(cancelled) | paid.to(cancelled) | shipped.to(cancelled)
    deliver = shipped.to(delivered)
    remind = placed.to(placed)
    placed.to(paid, cond="is_covered")
    paid.to(packed, cond="is_in_stock")
    packed.to(shipped, cond="is_fetched")

    def is_in_stock(self, model: "Order") -> bool:
        return model.article.stock > 0

    def on_enter_placed(self, model: "Order") -> None:
        aw.later(model.confirm, unique=True)

    def on_enter_packed(self, model: "Order") -> None:
        model.article.stock -= 1
        aw.later(model.hurry, after=timedelta(hours=1), unique=True)

    def on_enter_shipped(self, model: "Order") -> None:
        aw.while_in(model.escalate, after=timedelta(days=3))

    def on_enter_state(self, model: "Order", state: State) -> None:
        aw.session(model).add(Entry(order_id=model.id, state=state.id))


class Article(Base):
    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int] = mapped_column(default=0)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str | None] = mapped_column()
    total: Mapped[int] = mapped_column(default=10)
    article_id: Mapped[int] = mapped_column(ForeignKey("article.id"), default=1)
    fetch_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed: Mapped[int] = mapped_column(default=0)
    hurried: Mapped[int] = mapped_column(default=0)
    escalated: Mapped[bool] = mapped_column(default=False)
    told: Mapped[str] = mapped_column(default="")
    payments: Mapped[list["Payment"]] = relationship()
    article: Mapped[Article] = relationship()
    flow = aw.machine(OrderFlow, state=state)

    def is_covered(self) -> bool:
        return sum(payment.amount for payment in self.payments) >= self.total

    def is_fetched(self) -> bool:
        return self.fetch_at is not None and aw.passed(self.fetch_at)

    @aw.method
    def confirm(self) -> None:
        self.confirmed += 1

    @aw.method
    def hurry(self) -> None:
        self.hurried += 1

    @aw.method
    def escalate(self) -> None:
        self.escalated = True

    def on_state_change(self, machine: str, old: str | None, new: str) -> None:
        self.told = f"{self.told} {machine}: {old} → {new};"


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    amount: Mapped[int]


class Entry(Base):
    """A state has been entered. Written by the entry action, in its transaction."""

    __tablename__ = "entry"
    __table_args__ = {"info": aw.UNWATCHED}
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    state: Mapped[str]


class Orders(World):
    """An order of one article, number 1, in the cart, and a server that has seen it."""

    def sql(self, *statements: str) -> None:
        """Change something as another program would."""
        for statement in statements:
            with self.engine.begin() as connection:
                connection.execute(text(statement))

    def value(self, statement: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar()

    def state(self, order: int = 1) -> Any:
        return self.value(f"SELECT state FROM orders WHERE id = {order}")

    def do(self, event: str, order: int = 1) -> None:
        """Take an event, as a user's program does."""
        with self.session() as session, session.begin():
            getattr(session.get_one(Order, order).flow, event)()

    def ask(self, event: str, order: int = 1, **how: Any) -> None:
        """Ask for an event by a ticket."""
        with self.session() as session, session.begin():
            aw.later(getattr(session.get_one(Order, order).flow, event), **how)

    def entered(self, order: int = 1) -> list[str]:
        """The states that an order has entered, in order."""
        with self.session() as session:
            entries = select(Entry.state).where(Entry.order_id == order).order_by(Entry.id)
            return list(session.scalars(entries))

    def tickets(self) -> list[tuple[str | None, str | None]]:
        """The work and the Error of each ticket."""
        return [(ticket.view_model, ticket.error) for ticket in self.all(SysAsyncTicket)]

    def history(self) -> list[tuple[Any, ...]]:
        """From, to, event and mover of each move."""
        with self.engine.connect() as connection:
            moves = text("SELECT source, target, event, mover FROM afterwork_transition ORDER BY id")
            return [tuple(row) for row in connection.execute(moves)]


def orders(engine: Engine, **how: Any) -> Orders:
    return Orders(engine, Base, first=in_the_cart, **how)


def in_the_cart(engine: Engine) -> None:
    """Add an order of one article, which a server has seen."""
    with Session(engine) as session, session.begin():
        session.add_all([Article(id=1), Order(id=1)])
    aw.Afterwork(Base).run_until_idle(engine)
