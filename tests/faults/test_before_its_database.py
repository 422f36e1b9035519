"""A server comes before its database: it waits for what may still come, and says at once what will not."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import OperationalError

import afterwork as aw
from afterwork.errors import DatabaseRefuses
from afterwork.events import DatabaseBack, DatabaseLost, Event
from afterwork.server.server_connection import ServerConnection
from afterwork.store.dialects import database_of
from tests.faults.scene import QUICK, Scene
from tests.support import numbers
from tests.support.own_postgres import own_postgres
from tests.support.processes import Process, Processes
from tests.support.refusing import refusing
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

AT_ONCE = 2.0
"""Seconds in which a process ends that waits for nothing."""


def test_a_server_that_was_started_first_serves_as_soon_as_its_database_is_there(
    scene_on: Callable[[URL], Scene],
) -> None:
    """It says once that it waits, and once that it does so no more."""
    with own_postgres() as own:
        scene = scene_on(own.create_database())
        scene.save(3)
        scene.engine.dispose()
        own.stop("fast")
        server = start(scene.processes, scene.url)
        eventually(lambda: scene.said("DatabaseLost", server))
        assert server.lives

        own.start()
        scene.wait_until_done()

        assert len(scene.said("DatabaseLost", server)) == 1
        assert len(scene.said("DatabaseBack", server)) == 1
        server.send(signal.SIGTERM)
        assert server.wait() == 0


def start(processes: Processes, url: URL) -> Process:
    given = {"url": url.render_as_string(hide_password=False), "settings": QUICK}
    return processes.start("tests.support.server_main", json.dumps(given))


@contextmanager
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        port: int = held.getsockname()[1]
    yield port


@contextmanager
def somebody_silent() -> Iterator[int]:
    """A port at which everybody is taken, and nobody is answered."""
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        yield held.getsockname()[1]


@pytest.mark.parametrize("there", [nobody, somebody_silent])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_waits_for_its_database_ends_at_once_when_it_is_told_to(
    started: Processes, there: Callable[[], AbstractContextManager[int]], number: signal.Signals
) -> None:
    """It reads its files of jobs again meanwhile, and goes on waiting."""
    with there() as port:
        server = start(started, at(port))
        eventually(lambda: hears_signals(server))
        server.send(signal.SIGHUP)
        time.sleep(0.05)
        assert server.lives

        server.send(number)

        assert server.wait(AT_ONCE) == 0


def at(port: int) -> URL:
    return make_url(f"postgresql+psycopg://postgres@127.0.0.1:{port}/shop")


def hears_signals(server: Process) -> bool:
    """Whether a process has handlers for the signals that it is sent here."""
    lines = Path(f"/proc/{server.id}/status").read_text().splitlines()
    (caught,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")]
    return bool(caught >> (signal.SIGHUP - 1) & 1)


@pytest.mark.parametrize("wrong", ["database", "username"])
def test_what_will_not_pass_is_told_at_once(url: URL, wrong: str, tmp_path: Path) -> None:
    """Another name of a database or user than there is; on SQLite, a folder that is not there."""
    is_file = url.get_backend_name() == "sqlite"
    other: dict[str, Any] = {"database": str(tmp_path / wrong / "no.db")} if is_file else {wrong: "nobody"}
    engine = create_engine(url.set(**other))
    events: list[Event] = []

    with pytest.raises(DatabaseRefuses, match=r"does not let this server in: .*(nobody|unable to open).* See whether"):
        aw.Afterwork(numbers.Base, on_event=events.append).serve(engine)

    assert events == []
    engine.dispose()


PASSING = {"57P03": "das Datenbanksystem startet", "53300": "sorry, too many clients already"}
STAYING = {
    "28P01": "Passwort-Authentifizierung ging schief",
    "28000": "kein Eintrag in pg_hba.conf",
    "3D000": "Datenbank gibt es nicht",
    "42501": "kein Recht",
}
"""What a PostgreSQL answers that takes no connection, by its codes, in a language of its own."""


@pytest.mark.parametrize(("code", "text"), [*PASSING.items(), *STAYING.items()])
def test_what_a_postgresql_refuses_is_known_in_any_language(code: str, text: str) -> None:
    with refusing(code, text) as port:
        engine = create_engine(at(port), connect_args={"sslmode": "disable", "gssencmode": "disable"})
        database = database_of(engine, aw.Settings())

        with pytest.raises(OperationalError, match=text) as raised:
            database.connect()

        assert database.is_lost(raised.value)
        assert database.refuses(raised.value) == (code in STAYING)


def test_a_database_that_goes_away_while_a_server_enters_is_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers.create(engine)
    events: list[Event] = []
    app = aw.Afterwork(numbers.Base, on_event=events.append)
    app.install(engine)
    missing = create_engine(at(1)) if engine.dialect.name == "postgresql" else create_engine("sqlite:////nowhere/no.db")
    opened = ServerConnection.open
    left = [missing]

    def fail_once(link: ServerConnection) -> None:
        if left:
            left.pop().connect()
        opened(link)

    monkeypatch.setattr(ServerConnection, "open", fail_once)
    with app.serving(engine):
        pass

    assert [type(one) for one in events if isinstance(one, DatabaseLost | DatabaseBack)] == [DatabaseLost, DatabaseBack]
