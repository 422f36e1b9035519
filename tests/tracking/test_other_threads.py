"""Reads in other threads by way of a job's objects are refused, and the job fails even if it catches the error."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from afterwork.derived.tracking.hidden_state import RECORDED_HANDLES, untracked
from afterwork.errors import OtherThread
from tests.support.tracking.scene import Customer, Scene

READS: dict[str, Callable[[Session, Customer], object]] = {
    "a column": lambda session, customer: customer.name,
    "a composite": lambda session, customer: customer.place,
    "an end": lambda session, customer: customer.orders,
    "a hybrid": lambda session, customer: customer.greeting,
    "by key": lambda session, customer: session.get(Customer, 1),
    "a select": lambda session, customer: session.scalars(select(Customer)).all(),
    "a query": lambda session, customer: session.query(Customer).count(),
    "by the connection": lambda session, customer: session.connection().execute(select(Customer.id)).all(),
    "by the driver's connection": lambda session, customer: session.connection().connection.cursor(),
}


def in_a_thread(job: Callable[[], object]) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(job).result()


@pytest.fixture
def customer(scene: Scene, session: Session) -> Customer:
    return session.get_one(Customer, 1)


@pytest.mark.parametrize("kind", READS)
def test_each_kind_of_read_is_refused(scene: Scene, session: Session, customer: Customer, kind: str) -> None:
    def job() -> object:
        return READS[kind](session, customer)

    with pytest.raises(OtherThread, match=r"another thread.*plain values"), scene.recorder(session).recording():
        in_a_thread(job)
    assert in_a_thread(lambda: customer.town) == "Oslo"  # afterwards, nobody minds
    assert not RECORDED_HANDLES


@pytest.mark.parametrize("kind", READS)
def test_the_job_fails_even_if_it_does_not_notice_the_refusal(
    scene: Scene, session: Session, customer: Customer, kind: str
) -> None:
    def job() -> None:
        with contextlib.suppress(OtherThread):
            READS[kind](session, customer)

    with pytest.raises(OtherThread), scene.recorder(session).recording():
        thread = Thread(target=job)
        thread.start()
        thread.join()


def test_untracked_reads_are_allowed_in_any_thread(scene: Scene, session: Session, customer: Customer) -> None:
    def job() -> object:
        with untracked():
            return customer.name

    with scene.recorder(session).recording():
        assert in_a_thread(job) == "Ann"
        with untracked():
            assert in_a_thread(lambda: customer.town) == "Oslo"
    with pytest.raises(OtherThread), scene.recorder(session).recording():
        with untracked():
            assert customer.town
        in_a_thread(lambda: customer.street)


def test_a_thread_in_the_same_context_is_tracked(scene: Scene, session: Session, customer: Customer) -> None:
    def by_pool() -> object:
        context = copy_context()
        return in_a_thread(lambda: context.run(lambda: customer.name))

    def by_asyncio() -> object:
        async def read() -> Any:
            return await asyncio.to_thread(lambda: customer.name)

        return asyncio.run(read())

    for job in (by_pool, by_asyncio):
        assert scene.reads(session, job) == {"customer 1: name"}


def test_objects_of_other_sessions_may_be_read(scene: Scene, session: Session) -> None:
    with Session(scene.engine) as own:
        mine = own.get_one(Customer, 2)
        with scene.recorder(session).recording():
            assert in_a_thread(lambda: (mine.name, own.get_one(Customer, 1).name)) == ("Bob", "Ann")
