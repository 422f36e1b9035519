"""What may go wrong in a shop at work: faults that are put in, and put right again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Customer, OrderLine, OutgoingMail, SysAsyncTicket, app
from examples.shop.bookkeeping import Bookkeeping
from examples.shop.demo.only_server import OnlyServer
from examples.shop.demo.silent import SilentSystem

NO_LIMIT = 4_294_967_294
"""The most pages that SQLite lets a file have."""

TOO_MUCH = 90_000_000_000_000_000
"""A price in cents that a column can hold, and of which a total can't hold two hundred."""


class Watch:
    """A clock that can be put off."""

    def __init__(self) -> None:
        self.is_off_by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.is_off_by


class Disk:
    """The room that the connections of an engine find on a disk. A full one lets a SQLite file grow no more."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._most_pages = NO_LIMIT
        event.listen(engine, "connect", self._limit)

    def fill(self) -> None:
        """Leave no room."""
        with self._engine.connect() as connection:
            used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        self._become(used)

    def make_room(self) -> None:
        """Leave as much room as the real disk has."""
        self._become(NO_LIMIT)

    def _become(self, most_pages: int) -> None:
        self._most_pages = most_pages
        self._engine.dispose()

    def _limit(self, opened: object, _: object) -> None:
        if self._engine.dialect.name == "sqlite":
            opened.execute(f"PRAGMA max_page_count = {self._most_pages}").fetchall()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Place:
    """A shop at work in which faults are put: its database, its only server, and what it talks to.

    `watch` and `disk` are those of the machine that serves its page.
    """

    engine: Engine
    server: OnlyServer
    bookkeeping: Bookkeeping
    mail_server: SilentSystem
    watch: Watch
    disk: Disk

    def session(self) -> Session:
        return Session(self.engine)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong while `put_in` lasts, said by `what`.

    `sign` are words with which the overview names it. A fault that only some databases can have says which.
    """

    name: str
    what: str
    sign: str
    put_in: Callable[[Place], AbstractContextManager[None]]
    databases: Sequence[str] = ("sqlite", "postgresql")


@contextmanager
def bookkeeping_is_ill(place: Place) -> Iterator[None]:
    with place.bookkeeping.in_mood("error"):
        yield


@contextmanager
def server_is_killed(place: Place) -> Iterator[None]:
    place.server.kill()
    yield
    place.server.start()


@contextmanager
def nobody_calculates(place: Place) -> Iterator[None]:
    place.server.stop()
    place.server.start("--only", "tickets,timers")
    yield
    place.server.stop()
    place.server.start()


@contextmanager
def lane_is_paused(place: Place) -> Iterator[None]:
    control = app.control(place.engine)
    control.pause_lane("orders")
    yield
    control.resume_lane("orders")


@contextmanager
def trigger_is_gone(place: Place) -> Iterator[None]:
    drop_triggers(place.engine, "order_line")
    yield
    app.install(place.engine)


def drop_triggers(engine: Engine, table: str) -> None:
    """Let changes of a table go uncaptured, as a migration may that has made it anew."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            return
        found = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
        for name in connection.execute(found, {"table": table}).scalars().all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))


@contextmanager
def value_is_poisoned(place: Place) -> Iterator[None]:
    change = text("UPDATE order_line SET price = :price, quantity = :quantity WHERE id = :id")
    with place.session() as session, session.begin():
        line = session.scalars(select(OrderLine).order_by(OrderLine.id).limit(1)).one()
        right = {"id": line.id, "price": int(line.price * 100), "quantity": line.quantity}
        session.execute(change, {**right, "price": TOO_MUCH, "quantity": 200})
    yield
    with place.session() as session, session.begin():
        session.execute(change, right)


@contextmanager
def work_is_unknown(place: Place) -> Iterator[None]:
    with place.session() as session, session.begin():
        customer = session.scalars(select(Customer).order_by(Customer.id).limit(1)).one()
        ticket = SysAsyncTicket(view_model="Customer.greet", root_object=customer)
        session.add(ticket)
        session.flush()
        key = ticket.id
    yield
    with place.session() as session, session.begin():
        if (left := session.get(SysAsyncTicket, key)) is not None:
            session.delete(left)


@contextmanager
def job_hangs(place: Place) -> Iterator[None]:
    with place.session() as session, session.begin():
        session.add(OutgoingMail(recipient="ann@example.com", subject="Thank you", text="for your order."))
    yield
    place.mail_server.hang_up()


@contextmanager
def row_is_locked(place: Place) -> Iterator[None]:
    with place.session() as somebody:
        customer = somebody.scalars(select(Customer).order_by(Customer.id).limit(1).with_for_update()).one()
        with place.session() as session, session.begin():
            aw.later(session.get_one(Customer, customer.id).remind)
        yield


@contextmanager
def disk_is_full(place: Place) -> Iterator[None]:
    place.disk.fill()
    yield
    place.disk.make_room()


@contextmanager
def clock_is_off(place: Place) -> Iterator[None]:
    place.watch.is_off_by = timedelta(hours=-1)
    yield
    place.watch.is_off_by = timedelta(0)


FAULTS: Sequence[Fault] = (
    Fault("bookkeeping", "The bookkeeping answers each order with an error.", "ExportOrder ", bookkeeping_is_ill),
    Fault("server", "The server is killed.", "No server is running", server_is_killed),
    Fault("caches", "The server is started without caches.", "No server runs caches", nobody_calculates),
    Fault("lane", "Somebody pauses the lane of orders.", "The lane orders is paused", lane_is_paused),
    Fault("trigger", "A migration loses the triggers of order lines.", "Capture on order_line", trigger_is_gone),
    Fault("value", "A price is so large that no total can hold it.", "Order.total ", value_is_poisoned),
    Fault("work", "A program asks for work that nobody knows.", "Customer.greet ", work_is_unknown),
    Fault("mail", "The mail server takes a mail, and says nothing.", "SendMail has run for", job_hangs),
    Fault("row", "Somebody locks a customer, and goes for lunch.", "and is idle", row_is_locked, ["postgresql"]),
    Fault("disk", "The disk is full.", "The database file has room for 0 MB", disk_is_full, ["sqlite"]),
    Fault("clock", "The clock of the page's machine is an hour late.", "lock ", clock_is_off),
)
"""All faults, of which each database can have ten."""
