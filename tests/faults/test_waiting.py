"""Who waits for a ticket is not left waiting: not by a server that dies, nor by a lost connection."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from signal import SIGKILL
from typing import Any

import pytest
from sqlalchemy import URL, Engine, select, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import TicketFailed
from afterwork.events import Point
from tests.faults.scene import QUICK
from tests.support.packing import Base, Order, SysAsyncTicket
from tests.support.processes import Process, Processes
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

LONG = timedelta(seconds=60)
POINTS: list[Point] = ["claimed", "ran", "before commit", "after commit"]

Wait = Callable[[str], "Future[Any]"]


@pytest.fixture
def wait(engine: Engine) -> Iterator[Wait]:
    """Asks for a method of a new order, and waits for it in a thread."""
    Base.metadata.create_all(engine)
    aw.Afterwork(Base).install(engine)

    def asked_and_waited(name: str) -> Any:
        with Session(engine) as session:
            order = Order()
            session.add(order)
            ticket = aw.later(getattr(order, name))
            session.commit()
            return aw.wait(ticket, timeout=LONG)

    with ThreadPoolExecutor() as threads:
        yield lambda name: threads.submit(asked_and_waited, name)


def start(started: Processes, url: URL, fault: dict[str, Any] | None = None) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": QUICK,
        "model": "tests.support.packing",
        "fault": fault,
    }
    return started.start("tests.support.server_main", json.dumps(given))


def is_asked_for(engine: Engine) -> bool:
    with Session(engine) as session:
        return session.scalar(select(SysAsyncTicket.id)) is not None


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", ["assign_number", "slow"])
def test_who_waits_gets_the_result_though_a_server_dies(
    url: URL, engine: Engine, started: Processes, wait: Wait, name: str, point: Point
) -> None:
    first = start(started, url, {"point": point, "time": 1, "signal": SIGKILL, "work": f"Order.{name}"})
    waiting = wait(name)
    eventually(lambda: not first.lives)
    start(started, url)
    assert waiting.result() == (10 if name == "assign_number" else 1)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_who_loses_the_connection_goes_on_waiting(url: URL, engine: Engine, started: Processes, wait: Wait) -> None:
    waiting = wait("assign_number")
    eventually(lambda: is_registered(engine))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(process, 10000) FROM afterwork_waiter"))
    start(started, url)
    assert waiting.result() == 10
    eventually(lambda: not is_registered(engine))


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_end_that_began_before_anybody_waited_is_not_missed(engine: Engine, wait: Wait) -> None:
    """The trigger of a transaction that has not committed yet could not see that somebody waits."""
    with Session(engine) as session, session.begin():
        order = Order()
        session.add(order)
        ticket = aw.later(order.plain)
        session.flush()
        key = ticket.id
    with Session(engine) as session, engine.connect() as ender, ThreadPoolExecutor() as threads:
        ending = update(SysAsyncTicket).where(SysAsyncTicket.id == key).values(error="by hand")
        ender.execute(ending)
        kept = session.get_one(SysAsyncTicket, key)
        session.commit()
        waiting = threads.submit(aw.wait, kept, timeout=LONG)
        eventually(lambda: is_registered(engine))
        assert not waiting.done()
        ender.commit()
        assert isinstance(waiting.exception(), TicketFailed)


def is_registered(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1 FROM afterwork_waiter")).first() is not None
