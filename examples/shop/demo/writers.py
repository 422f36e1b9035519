"""The users of the shop: threads that save and change rows in transactions of their own.

Some save customers and orders, with tickets. Others change lines, prices, payments and deliveries, by the ORM and
behind its back. Customers receive parcels, or cancel. None of them knows about totals, or advances an order.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from faker import Faker
from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import StateHasChanged
from examples.shop import Customer, Delivery, Order, OrderLine, Payment, Product, SysAsyncTicket, TellCustomer

NAMES = 2000
"""Names that are generated in advance: generating one takes longer than saving a customer."""

THINGS = [
    ("Teapot", Decimal("24.50")),
    ("Cup and saucer", Decimal("9.95")),
    ("Darjeeling, 100 g", Decimal("7.20")),
    ("Sieve", Decimal("3.80")),
    ("Honey", Decimal("6.40")),
    ("Oat biscuits", Decimal("2.95")),
]

KINDS = ["blue", "white", "green", "small", "large", "from the heath", "from the coast", "second choice"]

LONGEST_SOON = 3.0
"""The seconds within which some orders must be paid, so that the demo sees them become overdue."""


@dataclass
class Tally:
    """The numbers of objects saved and committed. Each writer has its own tally, so none waits for another's."""

    customers: int = 0
    orders: int = 0
    changes: int = 0
    """Statements and objects that changed or extended earlier data."""
    news: int = 0
    """Messages that customers were to get."""

    def add(self, other: "Tally") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


def stock_up(engine: Engine) -> None:
    """Save the products that the shop sells, and a first delivery of each."""
    with Session(engine) as session, session.begin():
        for name, price in THINGS:
            for kind in KINDS:
                deliveries = [Delivery(quantity=10)]
                session.add(Product(name=f"{name}, {kind}", price=price, deliveries=deliveries))


@dataclass(frozen=True)
class Buyers:
    """A generator of customers and orders, which are the same for the same seed."""

    names: Sequence[str]
    random: random.Random

    def customer(self) -> Customer:
        return Customer(name=self.random.choice(self.names))

    def order(self, customer: Customer) -> Order:
        lines = [self.line() for _ in range(self.random.randint(1, 3))]
        return Order(customer=customer, lines=lines, due=self.due())

    def line(self) -> OrderLine:
        product = self.random.randrange(len(THINGS) * len(KINDS))
        price = THINGS[product // len(KINDS)][1]
        return OrderLine(product_id=product + 1, quantity=self.random.randint(1, 4), price=price)

    def due(self) -> datetime | None:
        """Return a due date in UTC: within seconds, in a month, or none."""
        span = self.random.choice([timedelta(seconds=self.random.uniform(0.2, LONGEST_SOON)), timedelta(days=30), None])
        return None if span is None else datetime.now(UTC).replace(tzinfo=None) + span

    def one_of(self, session: Session, cls: Any) -> int | None:
        """Return the key of an existing row, if any. Keys have gaps: rows not committed yet, or rolled back."""
        newest = session.scalar(select(func.max(cls.id)))
        if newest is None:
            return None
        return session.scalar(select(func.min(cls.id)).where(cls.id >= self.random.randint(1, newest)))


def with_rows(session: Session, buyers: Buyers) -> Tally:
    """Save a customer and an order, each with a ticket as a plain row."""
    customer = buyers.customer()
    order = buyers.order(customer)
    session.add_all([customer, order])
    session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=customer))
    session.add(SysAsyncTicket(view_model="Order.assign_number", root_object=order))
    return Tally(customers=1, orders=1)


def with_later(session: Session, buyers: Buyers) -> Tally:
    """Save a customer with up to two orders, with tickets from `aw.later`."""
    customer = buyers.customer()
    orders = [buyers.order(customer) for _ in range(buyers.random.randint(0, 2))]
    session.add_all([customer, *orders])
    aw.later(customer.assign_number)
    for order in orders:
        aw.later(order.assign_number)
    return Tally(customers=1, orders=len(orders))


def in_bulk(session: Session, buyers: Buyers) -> Tally:
    """Save many customers and their tickets by two bulk inserts, which name each root by its external id."""
    crowd = [{"name": buyers.random.choice(buyers.names)} for _ in range(buyers.random.randint(20, 120))]
    keys = session.scalars(insert(Customer).returning(Customer.id), crowd).all()
    tickets = [{"view_model": "Customer.assign_number", "root_id": f"Customer!{key}"} for key in keys]
    session.execute(insert(SysAsyncTicket), tickets)
    return Tally(customers=len(keys))


def by_orm(session: Session, buyers: Buyers) -> Tally:
    """Change objects as an application does: add or delete a line, add a payment, change the due date."""
    key = buyers.one_of(session, Order)
    if key is None:
        return Tally()
    order = session.get_one(Order, key)
    match buyers.random.randrange(4):
        case 0:
            order.lines.append(buyers.line())
        case 1 if len(order.lines) > 1:
            session.delete(order.lines[0])
        case 2:
            order.due = buyers.due()
        case _:
            session.add(Payment(order=order, amount=order.total))
    return Tally(changes=1)


SOMEBODY = "SELECT min(id) FROM customer WHERE id >= customer_id % :one"

STATEMENTS = [
    (OrderLine, "UPDATE order_line SET quantity = quantity + 1 WHERE id = :one"),
    (OrderLine, "UPDATE order_line SET price = price + 5 WHERE id = :one"),
    (Order, "INSERT INTO order_line (order_id, product_id, quantity, price) VALUES (:one, 1 + :one % 48, 1, 495)"),
    (Order, "INSERT INTO payment (order_id, amount) VALUES (:one, 2000)"),
    (Product, "INSERT INTO delivery (product_id, quantity) VALUES (:one, 25)"),
    (Order, f"UPDATE customer_order SET customer_id = ({SOMEBODY}) WHERE id = :one"),
    (Customer, "UPDATE customer SET name = 'Somebody else' WHERE id = :one"),  # that nobody reads
]
"""Statements of another program on one row of a class. Prices are in cents."""


def by_raw_sql(session: Session, buyers: Buyers) -> Tally:
    """Execute a statement that no ORM sees. One in ten is rolled back."""
    cls, statement = buyers.random.choice(STATEMENTS)
    one = buyers.one_of(session, cls)
    if one is None:
        return Tally()
    session.execute(text(statement), {"one": one})
    if buyers.random.random() < 0.1:
        session.rollback()
        return Tally()
    return Tally(changes=1)


def by_events(session: Session, buyers: Buyers) -> Tally:
    """Report that a parcel has arrived, which its customer is told, or cancel an order."""
    state, event = buyers.random.choice([("shipped", "deliver"), ("paid", "cancel"), ("cart", "cancel")])
    order = session.scalars(select(Order).where(Order.state == state).order_by(Order.id).limit(1)).first()
    if order is None:
        return Tally()
    try:
        getattr(order.flow, event)()
        if event == "deliver":
            aw.later(TellCustomer(order, news=f"Your order {order.number} has arrived."))
        session.flush()
    except StateHasChanged:  # the server was quicker
        session.rollback()
        return Tally()
    return Tally(changes=1, news=1 if event == "deliver" else 0)


def by_bulk_update(session: Session, buyers: Buyers) -> Tally:
    """Change the price of a product, and of its lines in the newest orders."""
    product, newest = buyers.one_of(session, Product), session.scalar(select(func.max(Order.id))) or 0
    rise = Decimal(buyers.random.randint(1, 20)) / 100
    session.execute(update(Product).where(Product.id == product).values(price=Product.price + rise))
    lines = update(OrderLine).where(OrderLine.product_id == product, OrderLine.order_id > newest - 200)
    session.execute(lines.values(price=OrderLine.price + rise))
    return Tally(changes=2)


Writer = tuple[Callable[[Session, Buyers], Tally], float]
"""The act of a writer, and its average pause in seconds."""

WRITERS: Sequence[Writer] = [
    (with_rows, 0.03),
    (with_later, 0.03),
    (in_bulk, 1.0),
    (by_orm, 0.03),
    (by_raw_sql, 0.03),
    (by_bulk_update, 1.0),
    (by_events, 0.2),
]
"""Those who write in the demo."""

CALM: Sequence[Writer] = [(with_rows, 0.5), (with_later, 0.5)]
"""Those who save a few customers and orders, and change nothing."""


class Writers:
    """All running writers. `stop` raises whatever one of them has raised."""

    def __init__(self, engine: Engine, seed: int, writers: Sequence[Writer]) -> None:
        names = _names(seed)
        self._engine = engine
        self._stopping = threading.Event()
        self._tallies = [Tally() for _ in writers]
        self._pool = ThreadPoolExecutor(len(writers), thread_name_prefix="writer")
        self._began = time.monotonic()
        self._futures: list[Future[None]] = [
            self._pool.submit(self._write, act, rest, Buyers(names, random.Random(seed + n)), tally)
            for n, ((act, rest), tally) in enumerate(zip(writers, self._tallies, strict=True))
        ]

    @property
    def saved(self) -> Tally:
        """The sum of all tallies."""
        total = Tally()
        for tally in self._tallies:
            total.add(tally)
        return total

    @property
    def have_failed(self) -> bool:
        return any(future.done() and future.exception() for future in self._futures)

    def stop(self) -> None:
        """Let each writer finish its transaction. Raises the exception of a writer that failed."""
        self._stopping.set()
        self._pool.shutdown()
        for future in self._futures:
            future.result()

    def _write(self, act: Callable[[Session, Buyers], Tally], rest: float, buyers: Buyers, tally: Tally) -> None:
        while not self._stopping.wait(buyers.random.expovariate(1 / rest)):
            with Session(self._engine) as session, session.begin():
                saved = act(session, buyers)
            tally.add(saved)


@contextmanager
def writing(engine: Engine, seed: int, writers: Sequence[Writer] = WRITERS) -> Iterator[Writers]:
    """Run writers while the block lasts, however it is left."""
    running = Writers(engine, seed, writers)
    try:
        yield running
    finally:
        running.stop()


def _names(seed: int) -> list[str]:
    faker = Faker()
    faker.seed_instance(seed)
    return [faker.name() for _ in range(NAMES)]
