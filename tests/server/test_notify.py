"""What systemd is told: that a server is ready, how it fares, and that it lives."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from afterwork.cli.systemd import Systemd, beating, reporting_to_systemd
from afterwork.events import DatabaseLost
from tests.conftest import Shop


class Listener:
    """Systemd, as far as a unit meets it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.settimeout(20)

    def hear(self) -> list[str]:
        """The next message."""
        return self._socket.recv(4096).decode().splitlines()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    with TemporaryDirectory() as folder:  # whose name is short, as addresses have to be
        path = str(Path(folder) / "notify")
        listener = Listener(path if request.param == "path" else f"@afterwork{path}")
        yield listener
        listener.close()


def test_a_server_says_that_it_is_ready_and_that_it_stops(the_shop: Shop, listener: Listener) -> None:
    environment = {"NOTIFY_SOCKET": listener.address}
    with reporting_to_systemd(the_shop.app, the_shop.engine, environment), the_shop.app.serving(the_shop.engine):
        assert listener.hear()[0] == "READY=1"

    assert listener.hear() == ["STATUS=Stopping: no more jobs begin, those that run are let end"]


def test_that_the_database_is_lost_is_its_status(listener: Listener) -> None:
    Systemd(listener.address)(DatabaseLost("connection refused"))

    assert listener.hear() == ["STATUS=The database can't be reached. Waiting for it"]


def test_it_lives_as_long_as_its_loop_goes_round(listener: Listener) -> None:
    well = iter([True, False, True, True])
    with beating(Systemd(listener.address), 0.03, lambda: next(well, True)):
        assert [listener.hear() for _ in range(3)] == [["WATCHDOG=1"]] * 3


def test_a_watchdog_of_another_process_is_none_of_ours(the_shop: Shop, listener: Listener) -> None:
    watched = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "30000"}

    with reporting_to_systemd(the_shop.app, the_shop.engine, {**watched, "WATCHDOG_PID": "1"}):
        Systemd(listener.address).tell("X=1")
        assert listener.hear() == ["X=1"]
    with reporting_to_systemd(the_shop.app, the_shop.engine, {**watched, "WATCHDOG_PID": str(os.getpid())}):
        assert listener.hear() == ["WATCHDOG=1"]


def test_without_systemd_nothing_is_told_and_nothing_fails(the_shop: Shop) -> None:
    with reporting_to_systemd(the_shop.app, the_shop.engine, {}), the_shop.app.serving(the_shop.engine):
        pass
    Systemd("/nowhere/at/all").tell("READY=1")
