"""Servers wait for files of the system whatever numbers these have."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from afterwork.store.dialects import database_of
from afterwork.store.waker import wait_for
from tests.conftest import Shop

HIGH = 1500
"""Beyond what select() can wait for."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """Files that are opened now have numbers beyond those of select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 100), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < HIGH:
        taken.append(os.dup(taken[0]))
    yield
    for descriptor in taken:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_file_of_a_high_number_is_waited_for(many_files: None, pipe: tuple[int, int]) -> None:
    assert wait_for(0, *pipe) == []
    os.write(pipe[1], b".")
    assert wait_for(5, *pipe) == [pipe[0]]
    assert pipe[0] > 1024


@pytest.mark.parametrize("seconds", [0.0004, 0.0115, 0.03])
def test_a_wait_is_as_long_as_it_should_be(seconds: float, pipe: tuple[int, int]) -> None:
    began = time.monotonic()
    assert wait_for(seconds, pipe[0]) == []
    assert time.monotonic() - began >= seconds - 0.001


def test_a_server_sleeps_and_is_woken_beside_many_files(the_shop: Shop, many_files: None) -> None:
    database = database_of(the_shop.engine, the_shop.settings)
    connection = database.connect()
    with closing(database.waker(connection)) as waker:
        assert waker.wait(0.01) == "time"
        waker.wake()
        began = time.monotonic()
        assert waker.wait(30) == "wake"
        assert time.monotonic() - began < 20
        assert max(int(name) for name in os.listdir("/dev/fd")) > HIGH
    database.discard(connection)
