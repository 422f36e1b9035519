"""A web request that waits for a number, to be read over the phone. Run it: python examples/shop/phone.py"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from statistics import median  # it needs the standard library's numbers, and not the story of that name

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import NotEndedYet, TicketFailed
from afterwork.events import Event, Ran

MEASURED = 50
"""The requests of which the latency is the median."""

PAUSE = 0.01
"""The seconds between two of them, after which the server sleeps."""


class Base(aw.Model["SysAsyncTicket"], DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    number: Mapped[int | None]

    @aw.method(precondition=lambda self: self.name != "Nobody")
    def assign_number(self) -> int:
        """Run in one lane over all servers, so numbers are unique and have no gaps."""
        series = aw.session(self).get_one(NumberSeries, "customer")
        series.last += 1
        self.number = series.last
        return self.number


class Finished:
    """The runs that have ended, as the server tells of them: their root, and when that was."""

    def __init__(self) -> None:
        self._told: SimpleQueue[tuple[str | None, float]] = SimpleQueue()

    def __call__(self, event: Event) -> None:
        match event:
            case Ran(root_id=root_id):
                self._told.put((root_id, time.perf_counter()))

    def moment_of(self, root_id: str) -> float:
        """Wait until the run of a root has ended, and return when that was."""
        while True:
            root, moment = self._told.get(timeout=60)
            if root == root_id:
                return moment


finished = Finished()
app = aw.Afterwork(Base, on_event=finished)


def save_customer(engine: Engine, name: str) -> tuple[str, str]:
    """Save a customer, and wait until somebody has given a number. Return the status and text of the answer."""
    with Session(engine) as session:
        customer = Customer(name=name)
        session.add(customer)
        ticket = aw.later(customer.assign_number)
        session.commit()
        try:
            number = aw.wait(ticket, of=Customer.assign_number, timeout=timedelta(seconds=10))
        except TicketFailed as error:
            return "409 Conflict", f"{name} gets no number: {error.error}"
        except NotEndedYet:
            return "202 Accepted", f"{name} is saved, and will be called back"
        return "200 OK", f"{name}'s number is {number}"


class WebServer(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread of its own. Those that wait share one connection."""


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def open_shop(engine: Engine) -> Iterator[Callable[[str], str]]:
    """Serve requests at a free port. Yields what a visitor does: send a name, and read the answer."""

    def answer(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        status, text = save_customer(engine, environ["PATH_INFO"].strip("/"))
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]

    with make_server("127.0.0.1", 0, answer, WebServer, Quiet) as web:
        Thread(target=web.serve_forever, daemon=True).start()
        try:
            yield lambda name: read(f"http://127.0.0.1:{web.server_port}/{name}")
        finally:
            web.shutdown()


def read(address: str) -> str:
    try:
        with urlopen(address) as response:
            return str(response.read().decode())
    except HTTPError as refused:
        with refused:
            return refused.read().decode()


def latency_of_request(visit: Callable[[str], str]) -> float:
    """Return the seconds from a request, which saves a customer and waits for the number, to its answer."""
    began = time.perf_counter()
    visit("Eve")
    return time.perf_counter() - began


def plain_latency(engine: Engine) -> float:
    """Return the seconds from saving a customer, for which nobody waits, until the number is saved."""
    began = time.perf_counter()
    with Session(engine) as session:
        customer = Customer(name="Eve")
        session.add(customer)
        aw.later(customer.assign_number)
        session.commit()
        root_id = aw.external_id(customer)
    return finished.moment_of(root_id) - began


def comparison(engine: Engine, visit: Callable[[str], str]) -> str:
    """Return the sentence that compares the two. They take turns, so that what disturbs hits both."""
    requests, plain = [], []
    for _ in range(MEASURED):
        time.sleep(PAUSE)
        requests.append(1000 * latency_of_request(visit))
        time.sleep(PAUSE)
        plain.append(1000 * plain_latency(engine))
    ratio = median(requests) / median(plain)
    return (
        f"Half of {MEASURED} requests were answered within {median(requests):.1f} ms,\n"
        f"{ratio:.1f} times the plain latency of {median(plain):.1f} ms, from saving a customer to saving the number"
    )


def tell(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(NumberSeries(name="customer", last=4710))
    with app.serving(engine), open_shop(engine) as visit:  # the server could as well run on another machine
        for name in ("Ann", "Bob", "Nobody"):
            print(f"The answer to the request: {visit(name)}")
        print(comparison(engine, visit))
    engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tell(Path(folder) / "shop.db")
