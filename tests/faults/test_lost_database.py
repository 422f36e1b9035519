"""The database goes away while tickets run, and comes back; or a connection does, in the middle of a commit."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import URL, select, text

from afterwork import Settings
from afterwork.store import suspects
from afterwork.store.dialects import database_of
from afterwork.store.tables import quarantine
from afterwork.store.waker import Waker
from tests.faults.scene import Scene
from tests.support.own_postgres import OwnPostgres, StopMode, own_postgres
from tests.support.proxy import CuttingProxy, Moment
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as found:
        yield found


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
@pytest.mark.parametrize("mode", get_args(StopMode))
def test_servers_go_on_by_themselves_after_a_restart_of_the_database(
    scene_on: Callable[[URL], Scene], own: OwnPostgres, mode: StopMode, method: str
) -> None:
    """Each says once that the database is lost and once that it is back, whatever it was doing; nothing is lost."""
    scene = scene_on(own.create_database())
    servers = [scene.start(), scene.start()]
    guests = scene.save(8, "greet", seconds=0.3)  # so that all workers have a connection
    eventually(lambda: all(scene.begun(guest) for guest in guests))
    scene.wait_until_done()
    (first,) = scene.save(1, method, waits=True)
    scene.save(20, method)
    scene.runner_of(first)

    own.stop(mode)
    eventually(lambda: all(scene.said("DatabaseLost", server) for server in servers))
    own.start()
    eventually(lambda: all(scene.said("DatabaseBack", server) for server in servers))
    scene.open_gate()
    scene.save(8, "greet", seconds=0.3)
    scene.wait_until_done()

    for server in servers:
        assert len(scene.said("DatabaseLost", server)) == 1
        assert len(scene.said("DatabaseBack", server)) == 1
    with scene.engine.connect() as connection:
        assert suspects.every(connection) == []
        assert connection.execute(select(quarantine.c.scope)).all() == []
    scene.check()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_an_idle_server_whose_connections_are_ended_goes_on(scene: Scene) -> None:
    """It finds that out while it waits at the connection, with no statement under way."""
    server = scene.start()
    for losses in (1, 2):
        scene.save(3)
        scene.wait_until_done()
        eventually(lambda: scene.said("FellAsleep", server)[losses - 1 :])
        with scene.engine.connect() as connection:
            connection.execute(END_CONNECTIONS)
        eventually(lambda: len(scene.said("DatabaseBack", server)) == losses)
        scene.save(3)
        scene.wait_until_done()
        assert len(scene.said("DatabaseLost", server)) == losses

    scene.check()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_loss_that_is_found_out_while_waiting_is_known_for_what_it_is(scene: Scene) -> None:
    """The driver itself raises then, and the connection can still be got rid of."""
    database = database_of(scene.engine, Settings())
    connection = database.connect()
    waker = database.waker(connection)
    connection.exec_driver_sql("SELECT 1")  # SQLAlchemy believes itself in a transaction since, as after each look
    with scene.engine.connect() as other:
        other.execute(END_CONNECTIONS)

    with pytest.raises(Exception, match="connection") as raised:
        wait_again_and_again(waker)

    assert database.is_lost(raised.value)
    waker.close()
    database.discard(connection)
    assert connection.closed or connection.invalidated


def wait_again_and_again(waker: Waker) -> None:
    while True:
        waker.wait(5)


END_CONNECTIONS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'afterwork' AND datname = current_database()"
)


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
@pytest.mark.parametrize("moment", get_args(Moment))
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_connection_cut_in_the_middle_of_a_commit_does_nothing_twice(
    scene: Scene, moment: Moment, method: str
) -> None:
    """The server can't know whether its commit has arrived. It looks what is due, and so is right in both cases."""
    scene.save(10, method)
    with (
        tempfile.TemporaryDirectory(prefix="afterwork-") as folder,  # a socket's path must be short
        CuttingProxy(scene.url, Path(folder), moment, marker=b"INSERT INTO effect") as between,
    ):
        server = scene.start(url=between.url, batch=4)
        scene.wait_until_done()
        scene.save(10, method)
        scene.wait_until_done()
        assert between.cut.is_set()
        assert len(scene.said("ConnectionLost", server)) == 1
        assert scene.said("DatabaseLost", server) == []
        scene.check()
