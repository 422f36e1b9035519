"""Losses are found by their errors. In quarantine, each run leaves a trace before it begins, on one server only."""

import threading
import uuid
from contextlib import closing

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.errors import ClaimLost
from afterwork.jobs.quarantine import ROUNDS, Loss, Quarantine
from afterwork.model.lane import PARALLEL
from afterwork.store import leases
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from tests.conftest import Shop
from tests.support.waiting import eventually

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(WAITING).scalar_one())


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


def test_a_loss_is_found_by_the_last_of_several_errors_of_one_connection() -> None:
    """To find out that a lane is taken, a worker may use the lost connection again."""
    quarantine = Quarantine(runs=1)

    def lose() -> None:
        try:
            raise OSError("cut")
        except OSError as error:
            quarantine.lost(Loss("main", None, error))
            raise

    def lose_again() -> None:
        try:
            lose()
        finally:
            try:
                raise OSError("still cut")
            except OSError as error:
                raise ValueError("asked again") from error

    with pytest.raises(ValueError, match="asked again") as raised:
        lose_again()

    (loss,) = quarantine.losses(raised.value)
    assert loss.scope == "main"
    assert quarantine.losses(OSError("another")) == []
    quarantine.forget([loss])
    assert quarantine.losses(raised.value) == []
