"""What wakes those who wait on SQLite: each commit, also one that comes while they are woken by something else."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.model.ticket import contract_of
from afterwork.store.dialects import database_of
from afterwork.store.end_watch import EndWatch
from tests.support.packing import Base, SysAsyncTicket
from tests.support.world import World

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

AGES = 60.0
"""Seconds that nobody waits if a test succeeds."""


@pytest.fixture
def watch(engine: Engine) -> Iterator[EndWatch]:
    World(engine, Base)
    database = database_of(engine, aw.Settings())
    connection = database.connect()
    with closing(connection), closing(database.end_watch(connection, contract_of(SysAsyncTicket))) as watch:
        yield watch


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (number) VALUES (1)"))


def test_a_commit_wakes(watch: EndWatch, engine: Engine) -> None:
    watch.add(["1"])
    write(engine)
    assert watch.wait(AGES)


def test_a_commit_is_seen_also_by_who_is_woken_by_a_thread(watch: EndWatch, engine: Engine) -> None:
    watch.add(["1"])
    write(engine)
    watch.wake()
    assert watch.wait(AGES)


def test_a_commit_before_somebody_comes_is_looked_at_for_the_others(watch: EndWatch, engine: Engine) -> None:
    watch.add(["1"])
    write(engine)
    watch.add(["2"])
    watch.wake()
    assert watch.wait(AGES)


def test_without_a_commit_only_the_thread_wakes(watch: EndWatch) -> None:
    watch.add(["1"])
    watch.wake()
    assert not watch.wait(AGES)
