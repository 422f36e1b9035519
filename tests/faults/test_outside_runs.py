"""Runs that go on with no transaction open, for much longer than their lease."""

import time
from signal import SIGHUP

import pytest
from sqlalchemy import text

from tests.faults.scene import Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


def test_an_outside_run_of_a_killed_server_is_taken_over_at_once(scene: Scene) -> None:
    """The lease has long to go, but a dead server is not waited for. The run's id stays the same."""
    lease = 6.0
    scene.start(lease=lease)
    scene.start(lease=lease)
    wait_until_the_locks_count(scene, lease)
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    scene.save(5, "assign_number_outside")
    killed = scene.runner_of(first)

    killed.kill()
    began = time.monotonic()
    eventually(lambda: len(scene.begun(first)) == 2)
    assert time.monotonic() - began < lease / 2
    scene.open_gate()
    scene.wait_until_done()

    assert len({run["run"] for run in scene.begun(first)}) == 1
    assert len(scene.effects(first)) == 1
    scene.check()


def test_a_living_outside_run_of_ten_leases_is_never_started_twice(scene: Scene) -> None:
    """Two servers look on, and leave it alone for as long as its process lives."""
    lease = 0.25
    (first,) = scene.save(1, "assign_number_outside", seconds=10 * lease)
    scene.save(5, "assign_number_outside")
    for _ in range(3):
        scene.start(lease=lease)

    scene.wait_until_done()

    assert len(scene.begun(first)) == 1
    assert scene.said("TookOver") == []
    scene.check()


@pytest.mark.parametrize("servers", [1, 2])
def test_an_outside_run_outlasts_a_reload(scene: Scene, servers: int) -> None:
    """It takes longer than the grace and goes on in its process, so neither that one's next server begins it again,
    nor another."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    for _ in range(servers):
        scene.start(grace=0.1, lease=0.5)
    server = scene.runner_of(first)

    server.send(SIGHUP)
    eventually(lambda: len(scene.said("ServerStarted", server)) == 2)
    scene.wait_for_guests()
    time.sleep(1.0)  # two leases
    scene.open_gate()
    scene.wait_until_done()

    assert len(scene.begun(first)) == 1
    assert scene.said("TookOver") == []
    eventually(lambda: len(scene.present()) == servers)
    scene.check()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_outside_run_that_could_not_write_its_end_is_run_again(scene: Scene) -> None:
    """Somebody holds the file's lock for longer than any limit, just when the run ends. It isn't forgotten."""
    (first,) = scene.save(1, "assign_number_outside", waits=True)
    server = scene.start(lock_limit=0.2)
    scene.runner_of(first)

    with scene.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        scene.open_gate()
        eventually(lambda: scene.said("InTheWay", server))
        connection.rollback()
    scene.wait_until_done()

    scene.check()


def wait_until_the_locks_count(scene: Scene, lease: float) -> None:
    """For as long as a lease after its start, PostgreSQL's locks say nothing of who is dead."""
    if scene.url.drivername != "sqlite":
        age = text("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
        with scene.engine.connect() as connection:
            eventually(lambda: connection.execute(age).scalar_one() > lease)
