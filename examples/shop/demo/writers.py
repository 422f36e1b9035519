"""Those who use the shop: threads that save customers and orders, with tickets, in transactions of their own."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from faker import Faker
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Customer, Order, OrderLine, SysAsyncTicket

NAMES = 2000
"""Names that are made before it begins: making one takes longer than saving a customer."""

PRODUCTS = [
    ("Teapot, blue", Decimal("24.50")),
    ("Cup and saucer", Decimal("9.95")),
    ("Darjeeling, 100 g", Decimal("7.20")),
    ("Sieve", Decimal("3.80")),
    ("Honey from the heath", Decimal("6.40")),
    ("Oat biscuits", Decimal("2.95")),
]


@dataclass
class Tally:
    """How much has been saved and committed. Each writer has its own, so none waits for another's."""

    customers: int = 0
    orders: int = 0


@dataclass(frozen=True)
class Buyers:
    """Where names and orders come from; the same for the same seed."""

    names: Sequence[str]
    random: random.Random

    def customer(self) -> Customer:
        return Customer(name=self.random.choice(self.names))

    def order(self, customer: Customer) -> Order:
        chosen = self.random.sample(PRODUCTS, self.random.randint(1, 3))
        lines = [OrderLine(product=p, quantity=self.random.randint(1, 4), price=price) for p, price in chosen]
        return Order(customer=customer, lines=lines)


def with_rows(session: Session, buyers: Buyers) -> Tally:
    """A customer and an order, each with a ticket as a plain row."""
    customer = buyers.customer()
    order = buyers.order(customer)
    session.add_all([customer, order])
    session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=customer))
    session.add(SysAsyncTicket(view_model="Order.assign_number", root_object=order))
    return Tally(customers=1, orders=1)


def with_later(session: Session, buyers: Buyers) -> Tally:
    """A customer with up to two orders; the tickets are asked for by `aw.later`."""
    customer = buyers.customer()
    orders = [buyers.order(customer) for _ in range(buyers.random.randint(0, 2))]
    session.add_all([customer, *orders])
    aw.later(customer.assign_number)
    for order in orders:
        aw.later(order.assign_number)
    return Tally(customers=1, orders=len(orders))


def in_bulk(session: Session, buyers: Buyers) -> Tally:
    """A crowd of customers and their tickets, by two bulk inserts; a root is named by its external id here."""
    crowd = [{"name": buyers.random.choice(buyers.names)} for _ in range(buyers.random.randint(20, 120))]
    keys = session.scalars(insert(Customer).returning(Customer.id), crowd).all()
    tickets = [{"view_model": "Customer.assign_number", "root_id": f"Customer!{key}"} for key in keys]
    session.execute(insert(SysAsyncTicket), tickets)
    return Tally(customers=len(keys))


WRITERS: Sequence[tuple[Callable[[Session, Buyers], Tally], float]] = [
    (with_rows, 0.010),
    (with_later, 0.010),
    (in_bulk, 0.5),
]
"""What each writer does, and how many seconds it rests in between, on average."""


class Writers:
    """All writers at work. Raises what one of them has raised when they are stopped."""

    def __init__(self, engine: Engine, seed: int) -> None:
        names = _names(seed)
        self._engine = engine
        self._stopping = threading.Event()
        self._tallies = [Tally() for _ in WRITERS]
        self._pool = ThreadPoolExecutor(len(WRITERS), thread_name_prefix="writer")
        self._began = time.monotonic()
        self._futures: list[Future[None]] = [
            self._pool.submit(self._write, act, rest, Buyers(names, random.Random(seed + n)), tally)
            for n, ((act, rest), tally) in enumerate(zip(WRITERS, self._tallies, strict=True))
        ]

    @property
    def customers(self) -> int:
        return sum(tally.customers for tally in self._tallies)

    @property
    def orders(self) -> int:
        return sum(tally.orders for tally in self._tallies)

    @property
    def have_failed(self) -> bool:
        return any(future.done() and future.exception() for future in self._futures)

    def stop(self) -> None:
        """Let each finish its transaction. Raises what went wrong."""
        self._stopping.set()
        self._pool.shutdown()
        for future in self._futures:
            future.result()

    def _write(self, act: Callable[[Session, Buyers], Tally], rest: float, buyers: Buyers, tally: Tally) -> None:
        while not self._stopping.wait(buyers.random.expovariate(1 / rest)):
            with Session(self._engine) as session, session.begin():
                saved = act(session, buyers)
            tally.customers += saved.customers
            tally.orders += saved.orders


@contextmanager
def writing(engine: Engine, seed: int) -> Iterator[Writers]:
    """Writers at work for as long as the block lasts, however it is left."""
    writers = Writers(engine, seed)
    try:
        yield writers
    finally:
        writers.stop()


def _names(seed: int) -> list[str]:
    faker = Faker()
    faker.seed_instance(seed)
    return [faker.name() for _ in range(NAMES)]
