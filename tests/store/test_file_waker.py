"""A write to a SQLite file is reported once, and before its commit: what ends a wait in between loses nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.store.dialects import database_of
from afterwork.store.sqlite import waker as wakers
from afterwork.store.sqlite.waker import FileWaker, FileWatch
from afterwork.store.waker import WaitEnd
from tests.support.packing import Base
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

AGES = 1000.0
"""Seconds that nobody waits if a test succeeds."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that a test writes to where the system is to report a write to the database."""
    made = tmp_path / "reports"
    made.touch()
    return made


@pytest.fixture
def report(file: Path) -> Callable[[], object]:
    """Report a write, whose commit comes later, or has come already."""
    return lambda: file.write_text("written")


@pytest.fixture
def waker(engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileWaker]:
    monkeypatch.setattr(wakers, "COMMIT_SECONDS", AGES)
    World(engine, Base)
    connection = database_of(engine, aw.Settings()).connect()
    monkeypatch.setattr(wakers, "FileWatch", lambda files: FileWatch([str(file)]))
    with closing(connection), closing(FileWaker(connection, aw.Settings(file_poll=timedelta(seconds=AGES)))) as made:
        yield made


def commit(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (number) VALUES (1)"))


def end_of_wait(waker: FileWaker) -> WaitEnd:
    """How a wait ends that nothing but the waker ends soon."""
    ended: list[WaitEnd] = []
    waits = threading.Thread(target=lambda: ended.append(waker.wait(AGES)), daemon=True)
    waits.start()
    try:
        eventually(lambda: ended)
    except AssertionError:
        waker.wake()
        raise
    finally:
        waits.join()
    return ended[0]


def test_a_commit_is_awaited_after_the_time_of_a_wait(
    waker: FileWaker, engine: Engine, report: Callable[[], object]
) -> None:
    report()
    assert waker.wait(0.01) == "time"
    commit(engine)
    assert end_of_wait(waker) == "new work"


def test_a_commit_is_awaited_after_a_thread_has_woken_the_loop(
    waker: FileWaker, engine: Engine, report: Callable[[], object]
) -> None:
    report()
    assert waker.wait(0.01) == "time"
    waker.wake()
    assert waker.wait(AGES) == "wake"
    commit(engine)
    assert end_of_wait(waker) == "new work"


def test_a_commit_is_seen_whose_write_was_reported_with_the_one_before(
    waker: FileWaker, engine: Engine, report: Callable[[], object]
) -> None:
    report()
    commit(engine)
    assert end_of_wait(waker) == "new work"
    commit(engine)
    assert end_of_wait(waker) == "new work"
