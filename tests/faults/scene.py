"""What the tests of faults do, and what must be true after each."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from signal import SIGKILL, SIGTERM
from typing import Any

from sqlalchemy import URL, Engine, create_engine, func, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Point
from afterwork.store.tables import lease as leases
from afterwork.store.tables import server as servers
from tests.support import numbers
from tests.support.journal import Journal
from tests.support.numbers import Customer, Effect, SysAsyncTicket
from tests.support.prepared import begin_with
from tests.support.processes import Process, Processes
from tests.support.waiting import eventually

QUICK: dict[str, float] = {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0}
"""Settings of all servers here, in seconds, if a test says nothing else."""


@dataclass(frozen=True)
class Fault:
    """A signal that a server sends itself when it reaches a point for the n-th time."""

    point: Point
    time: int
    signal: int = SIGKILL


def begin_installed(engine: Engine, model: Any) -> None:
    """Begin with what a model creates, a module with a `Base` and a `create`, and with Afterwork installed."""

    def install(engine: Engine) -> None:
        model.create(engine)
        aw.Afterwork(model.Base).install(engine)

    begin_with(engine, install, model.__name__)


class Scene:
    """A database with the model `tests.support.numbers`, and the servers on it."""

    def __init__(self, url: URL, journal: Journal, processes: Processes, options: Mapping[str, Any]) -> None:
        self.url = url
        self.journal = journal
        self.processes = processes
        patient = {"timeout": 30} if url.drivername == "sqlite" else {}
        self.engine = create_engine(url, connect_args=patient, pool_pre_ping=True, execution_options=options)
        self.app = aw.Afterwork(numbers.Base)
        begin_installed(self.engine, numbers)
        self.servers: list[Process] = []
        eventually(self._is_settled)

    def _is_settled(self) -> bool:
        """Whether locks tell who lives: PostgreSQL has not started just now, which takes all locks away."""
        if self.url.drivername == "sqlite":
            return True
        age = text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
        with self.engine.connect() as connection:
            return float(connection.execute(age).scalar_one()) > QUICK["lease"]

    # Acts.

    def save(self, count: int = 1, method: str = "assign_number", **facts: Any) -> list[int]:
        """Commit new customers, each with a ticket for one of his methods. Returns their keys."""
        with Session(self.engine) as session, session.begin():
            customers = [Customer(**facts) for _ in range(count)]
            session.add_all(customers)
            for customer in customers:
                aw.later(getattr(customer, method))
            session.flush()
            return [customer.id for customer in customers]

    def start(self, fault: Fault | None = None, url: URL | None = None, **settings: float) -> Process:
        """Start a server; settings are seconds. Returns when it looks for work or waits for
        others to let it do so, unless a fault is to strike it."""
        given = {
            "url": (url or self.url).render_as_string(hide_password=False),
            "settings": QUICK | settings,
            "fault": None if fault is None else vars(fault),
        }
        server = self.processes.start("tests.support.server_main", json.dumps(given))
        self.servers.append(server)
        if fault is None:
            eventually(lambda: self._is_there(server) or not server.lives)
            assert self._is_there(server)
        return server

    def _is_there(self, server: Process) -> bool:
        return bool(self.said("ServerStarted", server) or self.said("InTheWay", server))

    def open_gate(self) -> None:
        """Let the runs of all customers who wait go on."""
        numbers.gate_of(self.journal.path).touch()

    def end_servers(self) -> None:
        """Stop the servers that live, as an operator does."""
        living = [server for server in self.servers if server.lives]
        for server in living:
            server.send(SIGTERM)
        assert [server.wait() for server in living] == [0] * len(living)

    # What can be seen.

    def said(self, what: str, server: Process | None = None, **facts: Any) -> list[dict[str, Any]]:
        """The lines of the journal that say `what`, of one server or of all."""
        if server is not None:
            facts["process"] = server.id
        return self.journal.lines(what, **facts)

    def begun(self, customer: int) -> list[dict[str, Any]]:
        """The beginnings of a customer's runs."""
        return self.said("begin", customer=customer)

    def runner_of(self, customer: int) -> Process:
        """The server that has begun a customer's run first. Waits for it."""
        eventually(lambda: self.begun(customer))
        (server,) = [
            server_of_run for server_of_run in self.servers if server_of_run.id == self.begun(customer)[0]["process"]
        ]
        return server

    def others(self, server: Process) -> list[Process]:
        return [one for one in self.servers if one is not server]

    def pending(self) -> int:
        """Tickets that have not ended."""
        with Session(self.engine) as session:
            return session.scalars(select(func.count()).where(SysAsyncTicket.done.is_(None))).one()

    def present(self) -> list[int]:
        """The numbers of the servers that stand in the database."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(servers.c.id)).scalars())

    def leases_lapsed(self) -> bool:
        """Whether there are leases, and the time of all of them is over."""
        with self.engine.connect() as connection:
            expiries = connection.execute(select(leases.c.expires)).scalars().all()
        return bool(expiries) and max(expiries) < datetime.now(UTC)

    def numbered(self) -> int:
        """Customers who have their number."""
        with Session(self.engine) as session:
            return session.scalars(select(func.count()).where(Customer.number.is_not(None))).one()

    def wait_until_done(self, seconds: float = 60) -> None:
        """Wait until all tickets have ended. By default that is less than servers sleep if nothing wakes them."""
        eventually(lambda: self.pending() == 0, seconds)

    def wait_for_guests(self) -> None:
        """Wait until some server has begun work that comes in now, and so has looked at the others."""
        guests = self.save(3, "greet")
        eventually(lambda: all(self.begun(guest) for guest in guests))

    def effects(self, customer: int | None = None) -> list[Effect]:
        """What runs have left behind, in the order in which they began."""
        with Session(self.engine) as session:
            ordered = session.scalars(select(Effect).order_by(Effect.begin))
            return [effect for effect in ordered if customer in (None, effect.customer)]

    def errors(self) -> dict[int, str]:
        """What stands in the Error of tickets, by customer."""
        with Session(self.engine) as session:
            tickets = session.scalars(select(SysAsyncTicket).where(SysAsyncTicket.error.is_not(None)))
            return {int(str(ticket.root_id).partition("!")[2]): str(ticket.error) for ticket in tickets}

    # What must be true in the end.

    def check(self, failed: Collection[int] = ()) -> None:
        """Stop the servers. Then every ticket has ended once, all customers but those who `failed` have the numbers
        from 1 without gap or double, and no two runs of the lane have overlapped."""
        self.end_servers()
        assert self.pending() == 0
        assert self.errors().keys() == set(failed)
        self._check_numbers(failed)
        self._check_lane()
        self._check_nothing_left()

    def _check_numbers(self, failed: Collection[int]) -> None:
        with Session(self.engine) as session:
            asked = session.scalars(select(SysAsyncTicket.root_id).where(SysAsyncTicket.view_model.contains("number")))
            expected = {int(str(root).partition("!")[2]) for root in asked} - set(failed)
            given = {
                customer.id: customer.number
                for customer in session.scalars(select(Customer))
                if customer.number is not None
            }
        assert given.keys() == expected
        assert sorted(given.values()) == list(range(1, len(expected) + 1))
        effects = self.effects()
        assert sorted(effect.customer for effect in effects) == sorted(expected)
        assert [given[effect.customer] for effect in effects] == list(range(1, len(expected) + 1))

    def _check_lane(self) -> None:
        runs = [(effect.begin, effect.end, effect.process) for effect in self.effects()]
        batches = self._committed_batches()
        for intervals in (runs, batches):
            overlapping = [
                (interval, next_) for interval, next_ in pairwise(sorted(intervals)) if next_[0] < interval[1]
            ]
            assert overlapping == []

    def _committed_batches(self) -> list[tuple[float, float, int]]:
        """From when to when a lane was held by what was committed, as far as the servers could tell it."""
        begun: dict[tuple[int, int], float] = {}
        ready: dict[tuple[int, int], float] = {}
        batches = []
        for line in self.said("Reached"):
            who = line["process"], line["thread"]
            match line["point"]:
                case "claimed":
                    begun[who] = line["at"]
                    ready.pop(who, None)
                case "before commit":
                    ready[who] = line["at"]
                case "after commit" if who in begun and who in ready and "number" in line["work"]:
                    batches.append((begun.pop(who), ready.pop(who), line["process"]))
        return batches

    def _check_nothing_left(self) -> None:
        with self.engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM afterwork_lease")).scalar() == 0
            assert connection.execute(text("SELECT count(*) FROM afterwork_lane WHERE lease IS NOT NULL")).scalar() == 0
        assert self.said("Broken") == []
