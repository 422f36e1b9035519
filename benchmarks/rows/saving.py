"""The cost of saving a ticket with its customer, compared with two plain rows."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.model import Base, Customer, Note
from benchmarks.support.place import Kind, Place, fresh_place
from benchmarks.support.table import Row

NEEDED = 1.3
BLOCK = 25
Save = Callable[[Session], None]


def save_ticket(session: Session) -> None:
    customer = Customer(name="Ann")
    session.add(customer)
    aw.later(customer.assign_number)


def save_note(session: Session) -> None:
    session.add(Customer(name="Ann"))
    session.add(Note(title="Customer.assign_number", about="Customer!12345"))


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Yield the rows without a server, which are compared, and with one that runs the tickets meanwhile."""
    return [row(bench, kind, server_runs=False), row(bench, kind, server_runs=True)]


def row(bench: Bench, kind: Kind, server_runs: bool) -> Row:
    with fresh_place(kind, bench.server, 0) as place:
        Base.metadata.create_all(place.engine)
        AFTERWORK[kind].run(place, "setup")
        place.settle()
        with serving(kind, place, server_runs):
            ticket, note = measure(place, bench.sizes.saves)
    what = f"saving a ticket with its customer, {kind}, {'a' if server_runs else 'no'} server runs"
    say(f"{what}: {ticket:.3f} ms, two plain rows: {note:.3f} ms")
    ratio = ticket / note
    needed = "(for comparison)" if server_runs else f"at most {NEEDED} ×"
    met = None if server_runs else ratio <= NEEDED
    return Row(what, f"{ticket:.2f} ms", f"two plain rows: {note:.2f} ms", f"{ratio:.2f} ×", needed, met)


@contextmanager
def serving(kind: Kind, place: Place, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with AFTERWORK[kind].working(place) as worker:
        time.sleep(2)
        worker.check()
        yield


def measure(place: Place, count: int) -> tuple[float, float]:
    """Return the median milliseconds of each, over alternating blocks."""
    engine = create_engine(place.engine.url)
    seconds: dict[Save, list[float]] = {save_ticket: [], save_note: []}
    for _ in range(count // BLOCK + 1):
        for save, found in seconds.items():
            found.append(block(engine, save))
    engine.dispose()
    return median(seconds[save_ticket][1:]) * 1000, median(seconds[save_note][1:]) * 1000


def block(engine: Engine, save: Save) -> float:
    """Return the mean seconds per transaction of a block."""
    began = time.perf_counter()
    for _ in range(BLOCK):
        with Session(engine) as session, session.begin():
            save(session)
    return (time.perf_counter() - began) / BLOCK
