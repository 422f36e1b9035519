"""A model with jobs, as the README writes it: clean to both type checkers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, assert_type

from sqlalchemy import Connection, Engine, ForeignKey
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.testing import Asked, Testing, rolled_back


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")
    spent: Mapped[Decimal] = mapped_column(default=Decimal(0))
    title: Mapped[str | None] = mapped_column(default=None)

    @aw.derived(spent)
    def compute_spent(self) -> Decimal:
        return sum((order.price for order in self.orders), Decimal(0))

    @aw.derived("title")
    def compute_title(self) -> str | None:
        return "patron" if self.spent > 1000 else None

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        series = aw.session(self).get_one(NumberSeries, "customer")
        series.last += 1
        self.number = series.last

    @assign_number.many
    @staticmethod
    def assign_numbers(customers: Sequence["Customer"]) -> None:
        for customer in customers:
            customer.number = 1

    @aw.method
    def total(self) -> Decimal:
        return sum((order.price for order in self.orders), Decimal(0))


@aw.track_history
class OrderFlow(StateChart["Order"]):
    cart = State(initial=True)
    placed = State()
    paid = State(final=True)
    place = cart.to(placed)
    placed.to(paid, cond="is_covered")

    def is_covered(self, model: "Order") -> bool:
        return model.price <= 0

    def on_enter_placed(self, model: "Order") -> None:
        aw.later(model.flow.place)
        assert_type(aw.while_in(model.export, after=timedelta(days=3)), aw.AsyncTicket)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[Decimal]
    state: Mapped[str | None]
    flow = aw.machine(OrderFlow, state="state")
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=5, backoff=timedelta(minutes=1), on=(OSError,)))
    def export(self) -> None:
        print(aw.current_run().id, aw.current_run().attempt)

    @aw.method(external=True)
    async def fetch_notes(self) -> list[str]:
        return []

    @aw.method
    def refund(self, amount: Decimal, *, reason: str = "", token: Annotated[str, aw.Secret] = "") -> None:
        self.price -= amount


class TheCustomerNumberAssigner(aw.ViewModel[Customer]):
    lane = "numbers"

    @aw.column
    def greeting(self) -> str:
        return f"Dear {self.root.name}"

    @aw.action(enabled=lambda self: self.root.number is None)
    def assign(self) -> None:
        self.root.assign_number()

    @aw.action
    def greet(self) -> None:
        print(self.greeting)

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.name += self.error_text


class Nightly(aw.ViewModel[None], model=Base):
    @aw.action
    def clean_up(self) -> None:
        assert_type(self.root, None)


app = aw.Afterwork(Base, settings=aw.Settings(workers=8), clock=aw.ManualClock(), on_event=print)


def ask(session: Session, customer: Customer, order: Order) -> None:
    ticket = aw.later(customer.assign_number)
    assert_type(ticket, aw.AsyncTicket)
    assert_type(ticket.done, datetime | None)
    aw.later(customer.assign_number, at=datetime.now(UTC), keep=timedelta(days=1), priority=1, lane="x", unique=True)
    aw.later(customer.assign_number, unique=timedelta(hours=1))
    aw.later(customer.assign_number, unique=aw.by(within=timedelta(hours=1)))
    aw.later(customer.assign_number, after=timedelta(seconds=5), unique=aw.debounce(timedelta(minutes=5), aw.by()))
    aw.later(order.export, after=timedelta(hours=1), lane=None)
    assert_type(aw.later(order.refund.given(Decimal("12.50"), reason="broken"), lane="x"), aw.AsyncTicket)
    aw.later(TheCustomerNumberAssigner(customer))
    assert_type(TheCustomerNumberAssigner(customer).greeting, str)
    assert_type(aw.fresh(customer, Customer.spent), Decimal)
    aw.is_stale(customer, Customer.spent)
    app.explain(customer, Customer.spent)
    app.impact(order, Order.price)
    assert_type(aw.after([ticket], order.export, if_failed="run"), aw.AsyncTicket)
    assert_type(aw.chain(order.export, customer.assign_number), list[aw.AsyncTicket])
    aw.after(aw.later_many(each.export for each in [order]), order.refund.given(Decimal(1), reason="broken"))
    session.add(
        SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=customer, priority=1)
    )
    plain = SysAsyncTicket(view_model="Order.export")
    plain.root_object = order
    session.add(plain)


async def ask_asynchronously(session: AsyncSession, customer: Customer) -> None:
    aw.later(customer.assign_number)
    await session.run_sync(lambda _: aw.later(customer.assign_number, unique=True))


@Customer.total.many
def total_of_all(customers: list[Customer]) -> None: ...


def use(session: Session, customer: Customer) -> None:
    assert_type(Customer.assign_numbers([customer]), None)
    assert_type(total_of_all([customer]), None)
    assert_type(aw.can(customer.assign_number), bool)
    assert_type(customer.assign_number(), None)
    assert_type(customer.total(), Decimal)
    assert_type(customer.total, aw.BoundMethod[Decimal, aw.AsyncTicket, []])
    assert_type(customer.compute_spent(), Decimal)
    assert_type(customer.compute_title(), str | None)
    assert_type(aw.external_id(customer), str)
    aw.from_external_id(session, "Customer!42", Base)
    assert_type(aw.session(customer), Session)


def wait(customer: Customer, order: Order) -> None:
    assert_type(aw.wait(aw.later(order.fetch_notes), of=Order.fetch_notes), list[str])
    ticket = aw.later(customer.total)
    assert_type(aw.wait(ticket, of=Customer.total, timeout=timedelta(seconds=5)), Decimal)
    assert_type(aw.wait(ticket, of=customer.total), Decimal)
    assert_type(aw.wait(ticket), Any)


async def wait_asynchronously(customer: Customer, order: Order) -> None:
    assert_type(await aw.wait_async(aw.later(order.fetch_notes), of=Order.fetch_notes), list[str])
    assert_type(await aw.aio.fresh(customer, Customer.spent), Decimal)
    ticket = aw.later(customer.total)
    assert_type(await aw.wait_async(ticket, of=Customer.total), Decimal)
    assert_type(await aw.wait_async(ticket, timeout=timedelta(seconds=5)), Any)


def move(order: Order) -> None:
    assert_type(order.flow, aw.BoundMachine)
    order.flow.place()
    order.flow.place(by="Ann")
    assert_type(aw.can(order.flow.place), bool)
    assert_type(aw.later(order.flow.place, unique=True), aw.AsyncTicket)
    assert_type(order.flow.is_in("placed"), bool)
    assert_type(order.state_machine_trigger(), None)
    aw.later(order.state_machine_trigger)


def told(outcome: aw.Outcome) -> str:
    match outcome:
        case aw.Succeeded():
            return "done"
        case aw.Rejected(error) | aw.Raised(error) | aw.Hindered(error):
            return error
        case aw.Superseded() | aw.Withdrawn():
            return "not saved"


def serve(engine: Engine) -> None:
    assert_type(app.install(engine), list[str])
    with app.serving(engine):
        pass
    for ended in app.run_until_idle(engine):
        assert_type(ended, aw.Ended)
        print(ended.run.work, told(ended.outcome))
    assert_type(app.serve(engine), int)


def check_a_number(afterwork: Testing, customer: Customer) -> None:
    assert_type(afterwork.asked(customer.assign_number, after=timedelta(days=3), lane=None), Asked)
    afterwork.asked(Customer.assign_number)
    afterwork.asked(TheCustomerNumberAssigner)
    afterwork.asked(TheCustomerNumberAssigner(customer), at=datetime.now(UTC))
    afterwork.clock.advance(timedelta(days=3))
    with afterwork.inline():
        assert_type(afterwork.drain(check=True), list[aw.Ended])


def open_connection(engine: Engine) -> None:
    with rolled_back(engine) as connection:
        assert_type(connection, Connection)


async def open_async_connection(engine: AsyncEngine, afterwork: Testing) -> None:
    async with rolled_back(engine) as connection:
        assert_type(connection, AsyncConnection)
    assert_type(await afterwork.aio.drain(), list[aw.Ended])
