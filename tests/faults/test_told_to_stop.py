"""A server is told to stop, by SIGTERM or Ctrl-C."""

import tempfile
import time
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

import pytest

from tests.faults.scene import Fault, Scene
from tests.support.proxy import SilentProxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("number", "method"),
    [(SIGTERM, "assign_number"), (SIGINT, "assign_number"), (SIGTERM, "assign_number_outside")],
)
def test_what_runs_is_finished_and_nothing_more_is_begun(scene: Scene, number: Signals, method: str) -> None:
    """The rest is left to the next server."""
    (first,) = scene.save(1, method, waits=True)
    scene.save(5, method)
    server = scene.start(batch=1)
    scene.runner_of(first)

    server.send(number)
    eventually(lambda: scene.said("ServerStopping", server))
    assert server.lives
    scene.open_gate()

    assert server.wait(10) == 0
    assert len(scene.effects()) == len(scene.said("begin")) == 1
    scene.start()
    scene.wait_until_done()
    assert scene.said("ServerCrashed") == []
    scene.check()


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_run_that_takes_longer_than_the_grace_does_not_keep_the_server(scene: Scene, method: str) -> None:
    """The process ends in time, nothing of the run is saved, and the next server does it."""
    (first,) = scene.save(1, method, waits=True)
    scene.save(5, method)
    server = scene.start(grace=0.2, lock_limit=10)
    scene.runner_of(first)

    server.send(SIGTERM)
    began = time.monotonic()
    assert server.wait(20) == 1, "one run did not end"
    assert time.monotonic() - began < 3
    assert scene.numbered() == 0
    scene.start()
    eventually(lambda: len(scene.begun(first)) == 2)
    scene.open_gate()
    scene.wait_until_done()

    scene.check()


def test_a_server_that_is_told_just_when_a_run_ends_stops_at_once(scene: Scene) -> None:
    """The end of a run and the signal wake it together, and it does not fall asleep over the second."""
    server = scene.start(Fault("after commit", time=1, signal=SIGTERM))
    eventually(lambda: scene.said("FellAsleep"))
    scene.save()

    assert server.wait(5) == 0

    scene.check()


@pytest.mark.parametrize(("first", "second"), [(SIGTERM, SIGTERM), (SIGTERM, SIGINT), (SIGINT, SIGTERM)])
def test_a_second_signal_ends_a_server_at_once(scene: Scene, first: Signals, second: Signals) -> None:
    """However long its runs may still go on. The next server does what was not done."""
    (customer,) = scene.save(1, "assign_number", waits=True)
    server = scene.start(grace=1000)
    scene.runner_of(customer)

    server.send(first)
    eventually(lambda: scene.said("ServerStopping", server))
    server.send(second)
    assert server.wait(10) == 128 + second

    scene.start()
    scene.open_gate()
    scene.wait_until_done()
    scene.check()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_whose_database_never_answers_ends_at_the_second_signal(scene: Scene) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterwork-") as folder,  # a socket's path must be short
        SilentProxy(scene.url, Path(folder)) as between,
    ):
        server = scene.start(url=between.url)
        eventually(lambda: scene.said("FellAsleep", server))
        between.silent.set()
        scene.save()  # the server gets at no answer when it looks the next time

        server.send(SIGTERM)
        deadline = time.monotonic() + 10
        while server.lives and time.monotonic() < deadline:
            time.sleep(0.2)  # two that come at the same time are one to the system
            server.send(SIGTERM)
        assert server.wait(10) == 128 + SIGTERM
