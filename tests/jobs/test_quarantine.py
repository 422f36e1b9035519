"""In quarantine, each run leaves a trace before it begins, and only one server does so for the same run."""

import threading
import uuid
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.errors import ClaimLost
from afterwork.jobs.quarantine import ROUNDS, Quarantine
from afterwork.model.lane import PARALLEL
from afterwork.store import leases
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from tests.conftest import Shop
from tests.support.waiting import eventually

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(WAITING).scalar_one() > 0


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_of_two_servers_that_begin_the_same_at_once_one_leaves_it_to_the_other(the_shop: Shop) -> None:
    database = database_of(the_shop.engine, aw.Settings())
    quarantine, lost = Quarantine(runs=1), threading.Event()
    quarantine.begin()

    def try_it() -> None:
        with closing(database.connect()) as own:
            try:
                with quarantine.trying(database, own, ROUNDS, "key"):
                    pass
            except ClaimLost:
                lost.set()

    other = threading.Thread(target=try_it)
    with closing(database.connect()) as connection, database.transaction(connection):
        leases.take(database, connection, Lease(str(uuid.uuid4()), "key", PARALLEL, server=1, epoch=1))
        other.start()
        eventually(lambda: waits(the_shop.engine))
    other.join(20)

    assert lost.is_set()
