"""Whatever kind of run ends its process, thread, connection or database again and again is given up.

All the rest goes on.
"""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest
from tests.support import poison
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.poison import INSIDE_LIMIT, SysAsyncTicket, Thing
from tests.support.prepared import begin_with
from tests.support.processes import Process, Processes
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

LIMIT = 2
SETTINGS = {"standby_poll": 0.1, "lock_limit": 1.0, "lease": 2.0, "crash_limit": LIMIT, "inside_limit": INSIDE_LIMIT}
PATIENCE = 90.0

KINDS = ["ticket", "outside", "match", "criteria", "value", "view model", "guard", "entry", "once"]

CACHES = {"value": "total", "view model": "Renewing", "guard": "flow", "entry": "flow"}


def start(started: Processes, url: URL, **settings: float) -> Process:
    given = {
        "url": url.render_as_string(hide_password=False),
        "settings": SETTINGS | settings,
        "model": "tests.support.poison",
    }
    return started.start("tests.support.server_main", json.dumps(given))


def begin(engine: Engine) -> None:
    """One good thing and one bad, each with tickets."""
    poison.create(engine)
    aw.Afterwork(poison.Base).install(engine)
    with Session(engine) as session, session.begin():
        for thing in (Thing(id=1, bad=True), Thing(id=2)):
            session.add(thing)
            aw.later(thing.work)
            aw.later(thing.work_outside)
    with engine.begin() as connection:  # as another program would, so that only a server moves the machines
        connection.execute(update(Thing).values(may_move=True))


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    """The application, in a database in which its servers have all to do."""
    begin_with(engine, begin)
    return aw.Afterwork(poison.Base)


def error_of(kind: str, engine: Engine, app: aw.Afterwork) -> str | None:
    """What the page and the command line show of the run that is poison."""
    insight = app.insight(engine)
    with Session(engine) as session:
        match kind:
            case "ticket" | "outside":
                return session.scalars(select(SysAsyncTicket.error).where(SysAsyncTicket.error.is_not(None))).first()
            case "match" | "criteria":
                return insight.timer("Hitting" if kind == "match" else "Finding").timer.error
            case "value" | "view model" | "guard" | "entry":
                with suppress(BadRequest):  # no server has been there yet
                    return app.explain(session.get_one(Thing, 1), CACHES[kind]).error
                return None
            case _:
                return insight.once()[0].error


def rest_is_done(engine: Engine) -> bool:
    with Session(engine) as session:
        good = session.get_one(Thing, 2)
        done = good.done, good.done_outside
        return (*done, good.total, good.seen, good.state) == (1, 1, 1, 1, "moved")


def all_is_done(engine: Engine) -> bool:
    with Session(engine) as session:
        things = [(thing.total, thing.seen, thing.state) for thing in session.scalars(select(Thing))]
        tickets = [(ticket.done is not None, ticket.error) for ticket in session.scalars(select(SysAsyncTicket))]
        return set(things) == {(1, 1, "moved")} and set(tickets) == {(True, None)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_ends_its_process_each_time_is_given_up(
    url: URL, engine: Engine, app: aw.Afterwork, started: Processes, tmp_path: Path, kind: str
) -> None:
    """The first death tells that something is wrong, if it left no trace; the others which one it is. A cache that was
    given up runs again when its object changes, as others may still do with this one: that may cost another server."""
    (tmp_path / f"kill.{kind}").touch()

    deaths = 0
    while True:
        server = start(started, url)
        eventually(lambda: not server.lives or (error_of(kind, engine, app) and rest_is_done(engine)), PATIENCE)
        if server.lives:
            break
        deaths += 1
        assert deaths <= LIMIT + 1 or error_of(kind, engine, app), "it isn't given up"
    server.send(signal.SIGKILL)

    # The first death may have left a trace, or not.
    told = re.search(r"died (\d+) times", str(error_of(kind, engine, app)))
    assert told is not None
    assert LIMIT <= int(told[1]) <= deaths


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "outside"])
def test_what_is_silent_for_too_long_each_time_is_given_up(
    url: URL, engine: Engine, app: aw.Afterwork, started: Processes, tmp_path: Path, kind: str
) -> None:
    """PostgreSQL ends the connection, and the server lives on. What there is elsewhere is done."""
    (tmp_path / f"silence.{kind}").touch()

    server = start(started, url)
    eventually(lambda: error_of(kind, engine, app) and rest_is_done(engine), PATIENCE)

    assert server.lives
    assert f"inside_limit of {INSIDE_LIMIT:g} s: make it external" in str(error_of(kind, engine, app))


IN_C = [("sqlite", kind) for kind in KINDS] + [("postgresql", kind) for kind in ("ticket", "outside", "value")]
"""How a connection is cut differs by database; what was in hand is remembered in the same way."""


@pytest.mark.parametrize(("url", "kind"), IN_C, indirect=["url"])
def test_what_ends_its_thread_in_c_each_time_is_given_up(
    url: URL, engine: Engine, app: aw.Afterwork, started: Processes, tmp_path: Path, kind: str
) -> None:
    """Python believes that the thread lives. The server doesn't, ends its transaction, and replaces it."""
    (tmp_path / f"exit.{kind}").touch()

    server = start(started, url, crash_limit=1, inside_limit=60)
    eventually(lambda: error_of(kind, engine, app) and rest_is_done(engine), PATIENCE)

    assert server.lives
    assert "The thread that ran it was lost 1 times ('ThreadEnded: " in str(error_of(kind, engine, app))
    server.send(signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize("kind", ["ticket", "outside", "entry"])
def test_a_thread_that_is_lost_while_its_server_stops_does_not_keep_it(
    url: URL, engine: Engine, started: Processes, tmp_path: Path, app: aw.Afterwork, kind: str
) -> None:
    """It ends at once, though it may wait for runs, and nobody has to find out that it has died."""
    (tmp_path / f"leave.{kind}").touch()

    server = start(started, url, inside_limit=60, grace=60)

    assert server.wait(30) == 0
    (tmp_path / f"leave.{kind}").unlink()
    start(started, url, inside_limit=60)
    eventually(lambda: all_is_done(engine), PATIENCE)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as postgres:
        yield postgres


@pytest.mark.parametrize("kind", KINDS)
def test_what_crashes_its_database_each_time_is_given_up(
    own: OwnPostgres, started: Processes, tmp_path: Path, kind: str
) -> None:
    """PostgreSQL ends all connections each time, and starts again by itself. The server lives on."""
    engine = create_engine(own.create_database(), poolclass=NullPool)
    begin(engine)
    app = aw.Afterwork(poison.Base)
    (tmp_path / f"crash.{kind}").touch()

    def is_over() -> bool:
        with suppress(OperationalError):  # it is starting again
            return bool(error_of(kind, engine, app)) and rest_is_done(engine)
        return False

    server = start(started, engine.url, crash_limit=1, inside_limit=60)
    eventually(is_over, PATIENCE)

    assert server.lives
    assert "PostgreSQL crashed 1 times while it ran" in str(error_of(kind, engine, app))
    server.send(signal.SIGTERM)
    assert server.wait() == 0
