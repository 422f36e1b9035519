"""A server at work leaves a SQLite file alone: briefly in any case, and for as long as it had it while others write."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

import afterwork as aw
from afterwork.store.dialects import database_of
from afterwork.store.sqlite import file_fairness
from afterwork.store.sqlite.file_fairness import ROOM, ROOM_FOR_WRITERS

ADD = text("INSERT INTO note VALUES (1)")


class Time:
    """Time that passes only where a test says so. `in_the_pause` happens in each pause."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.paused = 0.0
        self.in_the_pause: Callable[[], object] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.in_the_pause()
        self.now += seconds
        self.paused = seconds


class Server:
    """The connections of two threads of a server."""

    def __init__(self, engine: Engine, time: Time) -> None:
        self.database = database_of(engine, aw.Settings())
        self.time = time
        self.one, self.other = self.database.connect(), self.database.connect()

    def works(self, connection: Connection, seconds: float) -> float:
        """Write for some seconds. Return the seconds of the pause before."""
        with self.database.transaction(connection):
            paused = self.time.paused
            connection.execute(ADD)
            self.time.now += seconds
        return paused


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(file_fairness, "time", time)
    return time


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'notes.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (number INTEGER)"))
    yield engine
    engine.dispose()


@contextmanager
def server(engine: Engine, time: Time) -> Iterator[Server]:
    server = Server(engine, time)
    with closing(server.one), closing(server.other):
        yield server


def somebody_writes(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(ADD)


def share(pause: float, worked: float) -> float:
    return round(pause / worked, 1)


def test_a_server_leaves_a_little_room_if_only_its_own_threads_write(engine: Engine, time: Time) -> None:
    with server(engine, time) as found:
        turns = [found.one, found.one, found.other, found.other, found.one, found.other, found.one, found.one]
        pauses = [found.works(connection, 0.5) for connection in turns]
    assert [share(pause, 0.5) for pause in pauses[1:]] == [ROOM] * (len(turns) - 1)


def test_a_server_leaves_as_much_time_as_it_takes_once_others_have_written_between_its_turns(
    engine: Engine, time: Time
) -> None:
    with server(engine, time) as found:
        found.works(found.one, 0.5)
        somebody_writes(engine)
        found.works(found.one, 0.5)
        assert share(found.works(found.one, 0.5), 0.5) == ROOM_FOR_WRITERS


def test_others_who_write_in_its_pauses_are_seen_also_if_the_threads_of_a_server_alternate(
    engine: Engine, time: Time
) -> None:
    with server(engine, time) as found:
        found.works(found.one, 0.5)
        time.in_the_pause = lambda: somebody_writes(engine)
        found.works(found.other, 0.5)
        assert share(found.works(found.one, 0.5), 0.5) == ROOM_FOR_WRITERS


def test_others_are_forgotten_after_a_while(engine: Engine, time: Time) -> None:
    with server(engine, time) as found:
        found.works(found.one, 0.5)
        somebody_writes(engine)
        pauses = [found.works(found.one, 0.5) for _ in range(5)]
    assert share(pauses[-1], 0.5) == ROOM
