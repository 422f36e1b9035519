"""Three servers are killed, stopped, cut off and restarted at random, and their database crashes, while users write."""

import json
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support import storm
from tests.support.journal import Journal
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.processes import Process, Processes
from tests.support.proxy import Proxy
from tests.support.waiting import eventually
from tests.support.writers import Writer

pytestmark = pytest.mark.faults

SECONDS = 60.0 if os.environ.get("EXAMPLES") else 5.0
"""How long it goes on: a minute with `make prove`."""

SETTINGS = {"standby_poll": 0.2, "lock_limit": 1.0, "lease": 2.0, "inside_limit": 3.0, "grace": 2.0, "crash_limit": 100}
"""Of the servers, in seconds. No run is given up here, since none of them is to blame."""

PATIENCE = 180.0
"""Seconds within which the servers have done what is left after it."""

WRITERS = 3

WRONG = """
SELECT (SELECT count(*) FROM orders o WHERE o.total <> coalesce(
           (SELECT sum(l.quantity * l.price) FROM line l WHERE l.order_id = o.id), 0))
     + (SELECT count(*) FROM customer c WHERE c.total <> coalesce(
           (SELECT sum(l.quantity * l.price) FROM line l JOIN orders o ON l.order_id = o.id
            WHERE o.customer_id = c.id), 0))
     + (SELECT count(*) FROM customer c WHERE floor(c.total / 100) <> (
           SELECT count(*) FROM badge b WHERE b.customer_id = c.id))
"""

LEFT = """
SELECT (SELECT count(*) FROM sys_async_ticket WHERE done IS NULL) AS tickets,
       (SELECT count(*) FROM orders WHERE NOT shipped) AS orders,
       (SELECT count(*) FROM afterwork_journal) AS changes,
       (SELECT count(*) FROM afterwork_due WHERE since IS NOT NULL) AS caches,
       (SELECT count(*) FROM afterwork_lease) AS leases,
       (SELECT count(*) FROM afterwork_lane WHERE lease IS NOT NULL) AS lanes
"""


class Chaos:
    """What befalls the servers. Each act leaves all of them running, or about to be."""

    def __init__(
        self, postgres: OwnPostgres, url: URL, proxy: Proxy, started: Processes, journal: Journal, seed: int
    ) -> None:
        self._postgres = postgres
        self._urls = [url, url, proxy.url]
        self._proxy = proxy
        self._started = started
        self._journal = journal
        self._chance = random.Random(seed)
        self._engine = create_engine(url, poolclass=NullPool)
        self._servers = [self._start(place) for place in range(3)]
        self.acts: list[str] = []

    def act(self) -> None:
        """Do something to somebody."""
        self._supervise()
        place = self._chance.randrange(3)
        acts = {
            self.kill: 4,
            self.stop_for_a_while: 4,
            self.cut: 3,
            self.terminate: 3,
            self.deploy: 2,
            self.crash_database: 2,
            self.restart_database: 1,
        }
        (act,) = self._chance.choices([*acts], weights=[*acts.values()])
        self.acts.append(act.__name__)
        act(place)

    def kill(self, place: int) -> None:
        self._servers[place].kill()
        self._servers[place] = self._start(place)

    def stop_for_a_while(self, place: int) -> None:
        server = self._servers[place]
        server.stop()
        time.sleep(self._chance.choice([0.2, 1.0, 4.0]))
        server.resume()

    def cut(self, _: int) -> None:
        self._proxy.hang_up()

    def terminate(self, _: int) -> None:
        with self._engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'afterwork' AND random() < 0.5"
                )
            )

    def deploy(self, place: int) -> None:
        old, self._servers[place] = self._servers[place], self._start(place)
        old.send(SIGTERM)
        old.wait()

    def crash_database(self, _: int) -> None:
        """Kill a process that does statements of a server. PostgreSQL ends all connections, and goes on."""
        backends = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'afterwork'")
        with self._engine.connect() as connection:
            processes = connection.execute(backends).scalars().all()
        for process in self._chance.sample(processes, min(1, len(processes))):
            os.kill(process, SIGKILL)
        eventually(self._is_reachable)

    def _is_reachable(self) -> bool:
        with suppress(OperationalError), self._engine.connect():
            return True
        return False

    def restart_database(self, _: int) -> None:
        self._postgres.stop(self._chance.choice(["fast", "immediate"]))
        self._postgres.start()

    def settle(self) -> None:
        """Let the servers start that have not, and do what is left."""
        deadline = time.monotonic() + PATIENCE
        while any((left := self._left()).values()) or not self._all_serve():
            self._supervise()
            assert time.monotonic() < deadline, left
            time.sleep(0.1)

    def _left(self) -> dict[str, int]:
        with self._engine.connect() as connection:
            return dict(connection.execute(text(LEFT)).one()._mapping)

    def _all_serve(self) -> bool:
        return all(self._journal.lines("ServerStarted", process=server.id) for server in self._servers)

    def end(self) -> None:
        """Stop the servers as an operator does. Each must still be there."""
        for server in self._servers:
            server.send(SIGTERM)
        assert [server.wait() for server in self._servers] == [0, 0, 0]

    def _supervise(self) -> None:
        """Start what could not start while the database was away, as a supervisor does. No other server has ended."""
        for place, server in enumerate(self._servers):
            if not server.lives:
                assert self._journal.lines("ServerStarted", process=server.id) == []
                self._servers[place] = self._start(place)

    def _start(self, place: int) -> Process:
        given = {
            "url": self._urls[place].render_as_string(hide_password=False),
            "settings": SETTINGS,
            "model": "tests.support.storm",
        }
        return self._started.start("tests.support.server_main", json.dumps(given))


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as found:
        yield found


def test_nothing_is_lost_and_nothing_done_twice_whatever_befalls_servers(
    postgres: OwnPostgres, started: Processes, tmp_path: Path
) -> None:
    """Each ticket has ended once, numbers have no gap and no double, each value is right, and no user's transaction has
    failed because of a server."""
    url = postgres.create_database()
    engine = create_engine(url, poolclass=NullPool)
    storm.create(engine)
    aw.Afterwork(storm.Base).install(engine)
    journal = Journal(tmp_path / "journal.jsonl")
    over = threading.Event()
    writers = [Writer(url, number, over) for number in range(1, WRITERS + 1)]
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # shown if it fails

    with tempfile.TemporaryDirectory(prefix="afterwork-") as folder, Proxy(url, Path(folder)) as proxy:
        chaos = Chaos(postgres, url, proxy, started, journal, seed)
        threads = [writer.start() for writer in writers]
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            chaos.act()
            time.sleep(0.3)
        over.set()
        for thread in threads:
            thread.join()
        print(Counter(chaos.acts), [writer.committed for writer in writers])
        chaos.settle()
        chaos.end()
    failed = [line for what in ("Failed", "PutOff", "RoundFailed", "Broken") for line in journal.lines(what)]
    journal.close()

    assert failed == []
    assert [failure for writer in writers for failure in writer.failures] == []
    with engine.connect() as connection:
        assert connection.execute(text(WRONG)).scalar_one() == 0
    check_tickets(engine)


def check_tickets(engine: Engine) -> None:
    """Each ticket and each shipping was done once; numbers go from 1 without a gap."""
    with Session(engine) as session:
        tickets = session.scalars(select(storm.SysAsyncTicket)).all()
        effects = session.execute(select(storm.Effect.work, storm.Effect.root)).all()
        numbers = session.scalars(select(storm.Customer.number).order_by(storm.Customer.number)).all()
        orders = session.scalars(select(storm.Order.id)).all()
    assert [ticket.error for ticket in tickets if ticket.error is not None] == []
    asked = [(str(ticket.view_model), str(ticket.root_id)) for ticket in tickets]
    shipped = [("Shipping", f"Order!{order}") for order in orders]
    assert sorted(tuple(effect) for effect in effects) == sorted(asked + shipped)
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
