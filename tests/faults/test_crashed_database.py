"""A run crashes its process in PostgreSQL, which then ends all connections, and goes on."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

import afterwork as aw
from afterwork import Settings
from afterwork.events import Events
from afterwork.server.presence import Presence
from afterwork.store import suspects
from afterwork.store.dialects import database_of
from afterwork.store.server_rows import ServerRow
from tests.faults.scene import Scene, begin_installed
from tests.support import numbers
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as postgres:
        yield postgres


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_of_several_servers_each_blames_what_crashed_and_not_what_it_ran_beside_that(
    scene_on: Callable[[URL], Scene], own: OwnPostgres, method: str
) -> None:
    """The database tells the others' connections that another one's process has crashed. They are tried again."""
    scene = scene_on(own.create_database())
    (poison,) = scene.save(1, method, grief="crashes its database")
    scene.save(3, method)
    scene.save(6, "greet", seconds=0.3)

    servers = [scene.start(crash_limit=2), scene.start(crash_limit=2)]
    eventually(lambda: is_done(scene))

    assert all(server.lives for server in servers)
    assert "PostgreSQL crashed 2 times while it ran" in scene.errors()[poison]
    with scene.engine.connect() as connection:
        (blamed,) = [suspect for suspect in suspects.every(connection) if suspect.deaths]
    assert blamed.is_beyond(2)
    scene.check(failed=[poison])


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_crash_is_noticed_even_if_no_connection_can_be_told(
    scene_on: Callable[[URL], Scene], own: OwnPostgres, method: str
) -> None:
    """The run ends the connection of its server's loop in the same way. PostgreSQL still shows when it crashed."""
    scene = scene_on(own.create_database())
    (poison,) = scene.save(1, method, grief="crashes all processes in its database")
    scene.save(3, method)

    server = scene.start(crash_limit=1)
    eventually(lambda: is_done(scene))

    assert server.lives
    # It may have been told of the first crash, of a process that it has ended before its own.
    assert re.search(r"PostgreSQL crashed [12] times while it ran", scene.errors()[poison])
    scene.check(failed=[poison])
    assert "Traceback" not in server.output.read_text()


def test_a_server_on_another_machine_has_the_time_of_a_lease_to_come_back_after_a_crash(own: OwnPostgres) -> None:
    """PostgreSQL goes on, and only its connections have ended. If the server doesn't come back, it may be to blame."""
    engine = create_engine(own.create_database(), poolclass=NullPool)
    begin_installed(engine, numbers)
    database = database_of(engine, Settings())
    connection = database.connect()
    Presence.enter(connection, database, aw.SystemClock(), Events())
    backend: Any = connection.connection.dbapi_connection
    os.kill(backend.info.backend_pid, signal.SIGKILL)
    assert not database.answers(connection)

    eventually(lambda: reachable(engine))
    with closing(database.connect()) as other:
        (row,) = ServerRow.all(other)
        elsewhere = replace(row, machine="elsewhere")
        assert database.lives(other, elsewhere)
        assert not database.was_lost_with_database(other, elsewhere)
        brief = database_of(engine, Settings(lease=timedelta(0)))
        assert not brief.lives(other, elsewhere)


def reachable(engine: Engine) -> bool:
    with suppress(OperationalError), engine.connect():
        return True
    return False


def is_done(scene: Scene) -> bool:
    with suppress(OperationalError):  # it is starting again
        return scene.pending() == 0
    return False
