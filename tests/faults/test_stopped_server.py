"""A server is stopped in the middle of a run for longer than any time-out, and continued."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime
from signal import SIGSTOP, SIGTERM

import pytest
from sqlalchemy import Row, text

from tests.faults.scene import Fault, Scene
from tests.support.processes import Process
from tests.support.waiting import STEP, eventually

pytestmark = pytest.mark.faults

only_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

STAYS_OPEN = 0.3
"""Seconds after which a transaction is that of a server which has been stopped."""


def stop_between_writes(scene: Scene, server: Process) -> None:
    """Stop a server at a moment at which it has no transaction open, in which others would have to wait for it."""
    server.stop()
    while is_locked(str(scene.url.database)) if scene.url.drivername == "sqlite" else has_open_transaction(scene):
        server.resume()
        server.stop()


def has_open_transaction(scene: Scene) -> bool:
    """Whether a server has a transaction open that does not come to its end by itself."""
    before = set(transactions(scene))
    deadline = time.monotonic() + STAYS_OPEN
    while before and time.monotonic() < deadline:
        time.sleep(STEP)
        before &= set(transactions(scene))
    return bool(before)


def transactions(scene: Scene) -> Sequence[Row[tuple[int, datetime]]]:
    """The open transactions of servers: process of the database, and beginning."""
    opened = text(
        "SELECT pid, xact_start FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'afterwork' AND xact_start IS NOT NULL"
    )
    with scene.engine.connect() as connection:
        return connection.execute(opened).all()


def is_locked(file: str) -> bool:
    """Whether somebody writes to a SQLite file."""
    connection = sqlite3.connect(file, timeout=0.05, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    else:
        connection.execute("ROLLBACK")
        return False
    finally:
        connection.close()


@only_postgresql
@pytest.mark.parametrize("servers", [2, 3])
def test_others_take_over_the_lane_of_a_stopped_server(scene: Scene, servers: int) -> None:
    """PostgreSQL ends the transaction of the stopped one, which finds that out when it goes on."""
    (first,) = scene.save(1, waits=True)
    scene.save(20)
    for _ in range(servers):
        scene.start(inside_limit=1)
    stopped = scene.runner_of(first)

    stopped.stop()
    scene.open_gate()
    scene.wait_until_done(30)
    stopped.resume()
    eventually(lambda: scene.said("end", stopped, customer=first))
    eventually(lambda: scene.said("ConnectionLost", stopped))
    scene.save(20)
    scene.wait_until_done()

    (effect,) = scene.effects(first)
    assert effect.process != stopped.id
    scene.check()


@only_sqlite
@pytest.mark.parametrize("servers", [2, 3])
def test_a_stopped_writer_of_a_file_is_waited_for(scene: Scene, servers: int) -> None:
    """Nobody else can write to the file. The others say so, wait, and go on afterwards."""
    (first,) = scene.save(1, waits=True)
    scene.save(20)
    for _ in range(servers):
        scene.start(lock_limit=0.3)
    stopped = scene.runner_of(first)

    stopped.stop()
    scene.open_gate()
    eventually(lambda: all(len(scene.said("InTheWay", other)) > 1 for other in scene.others(stopped)))
    assert scene.numbered() == 0
    stopped.resume()
    scene.wait_until_done()

    (effect,) = scene.effects(first)
    assert effect.process == stopped.id
    scene.check()


def test_a_stopped_server_keeps_its_outside_run(scene: Scene) -> None:
    """It lives, and what it does elsewhere must not begin a second time. Others do what there is in other lanes."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    scene.save(5, "assign_number_outside")
    for _ in range(2):
        scene.start(lease=0.5)
    stopped = scene.runner_of(first)

    stop_between_writes(scene, stopped)
    eventually(scene.leases_lapsed)
    scene.wait_for_guests()
    stopped.resume()
    scene.open_gate()
    scene.wait_until_done()

    assert len(scene.begun(first)) == 1
    assert scene.said("TookOver") == []
    scene.check()


@pytest.mark.parametrize("told", ["to stop", "to leave"])
def test_a_stopped_server_that_is_about_to_end_keeps_its_outside_run(scene: Scene, told: str) -> None:
    """It has been told to, and lets its run end. That takes longer than its lease."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    for _ in range(2):
        scene.start(lease=0.5, grace=1000)
    stopped = scene.runner_of(first)

    if told == "to stop":
        stopped.send(SIGTERM)
    else:
        scene.app.control(scene.engine).drain(number_of(scene, stopped))
    eventually(lambda: scene.said("ServerStopping", stopped))
    stop_between_writes(scene, stopped)
    eventually(scene.leases_lapsed)
    scene.wait_for_guests()
    stopped.resume()
    scene.open_gate()
    scene.wait_until_done()

    assert stopped.wait(10) == 0
    assert len(scene.begun(first)) == 1
    scene.check()


@only_postgresql
def test_a_server_that_has_lost_only_the_connection_of_its_lock_keeps_its_outside_run(scene: Scene) -> None:
    """Its process is there, and will have the lock again before long."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    for _ in range(2):
        scene.start()
    stopped = scene.runner_of(first)

    stop_between_writes(scene, stopped)
    end = text(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND objid = :server"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with scene.engine.connect() as connection:
        assert connection.execute(end, {"server": number_of(scene, stopped)}).scalar()
    scene.wait_for_guests()
    stopped.resume()
    eventually(lambda: scene.said("DatabaseBack", stopped))
    scene.open_gate()
    scene.wait_until_done()

    assert len(scene.begun(first)) == 1
    assert scene.said("ServerCrashed") == []
    scene.check()


def number_of(scene: Scene, server: Process) -> int:
    """The number of a server in the database."""
    return int(scene.said("ServerStarted", server)[0]["server"])


def test_an_outside_run_that_nobody_took_over_goes_on(scene: Scene) -> None:
    """The only server, stopped for longer than its lease, still has it when it goes on."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    server = scene.start(lease=0.5)
    scene.runner_of(first)

    stop_between_writes(scene, server)
    eventually(scene.leases_lapsed)
    server.resume()
    scene.open_gate()
    scene.wait_until_done()

    assert len(scene.begun(first)) == 1
    scene.check()


@only_postgresql
def test_a_server_stopped_while_it_settles_an_outside_run_does_not_stop_the_others(scene: Scene) -> None:
    """Its last transaction is ended, and when it goes on, it does the run again. Others do what there is elsewhere."""
    (first,) = scene.save(1, "assign_number_outside")
    stopped = scene.start(Fault("before commit", time=1, signal=SIGSTOP), inside_limit=1, lease=0.5)
    eventually(lambda: scene.said("Reached", stopped, point="before commit"))
    stopped.wait_until_stopped()
    eventually(scene.leases_lapsed)
    scene.start(inside_limit=1, lease=0.5, lock_limit=10)

    guests = scene.save(3, "greet")
    eventually(lambda: all(scene.begun(guest) for guest in guests))
    eventually(lambda: not transactions(scene))
    stopped.resume()
    eventually(lambda: scene.said("ConnectionLost", stopped))
    scene.save(3, "assign_number_outside")
    scene.wait_until_done()

    (effect,) = scene.effects(first)
    assert effect.process == stopped.id
    scene.check()
