"""A server is killed with kill -9 at each point of a run."""

import signal
from typing import get_args

import pytest

from afterwork.events import Point
from tests.faults.scene import Fault, Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
@pytest.mark.parametrize("point", get_args(Point))
def test_a_server_killed_at_any_point_loses_nothing_and_repeats_nothing(
    scene: Scene, point: Point, method: str
) -> None:
    """Two servers die one after the other, the second while it is careful because of the first; a third ends all."""
    scene.save(12, method)

    for _ in range(2):
        assert scene.start(Fault(point, time=2), batch=3).wait() == -signal.SIGKILL
    scene.start(batch=3)
    scene.wait_until_done()

    scene.check()


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_second_server_goes_on_when_the_first_is_killed(scene: Scene, method: str) -> None:
    """The one that waits for the lane gets it without being told."""
    (first,) = scene.save(1, method, waits=True)
    scene.save(5, method)
    scene.start()
    scene.start()

    scene.runner_of(first).kill()
    scene.open_gate()
    scene.wait_until_done()

    scene.check()


def test_idle_servers_take_over_from_a_killed_one(scene: Scene) -> None:
    """Whichever of them is killed, also the one that the database would have woken, new tickets are done."""
    servers = [scene.start() for _ in range(3)]
    eventually(lambda: scene.said("FellAsleep"))

    for server in servers:
        scene.save(3)
        scene.wait_until_done()
        if server is not servers[-1]:
            server.kill()

    scene.check()


def test_a_busy_server_takes_over_what_a_killed_one_had_leased(scene: Scene) -> None:
    """Much work in one lane is no reason to leave another lane to the dead."""
    (guest,) = scene.save(1, "greet_outside", waits=True)
    scene.start(batch=5)
    killed = scene.runner_of(guest)
    scene.save(100, seconds=0.02)
    eventually(lambda: scene.numbered() >= 1)
    scene.start(batch=5)
    killed.kill()
    eventually(lambda: len(scene.begun(guest)) == 2)
    assert scene.pending() > 10
    scene.open_gate()
    scene.wait_until_done()

    scene.check()


def test_a_killed_server_loses_the_sums_of_some_seconds_and_no_ticket(scene: Scene) -> None:
    """Sums are written now and then, tickets with their effects."""
    scene.save(5)
    first = scene.start()
    scene.wait_until_done()
    first.kill()
    scene.save(3)
    scene.start()
    scene.wait_until_done()
    scene.end_servers()

    counted = sum(total.sums.done for total in scene.app.insight(scene.engine).totals())

    assert 3 <= counted <= 8
    scene.check()
