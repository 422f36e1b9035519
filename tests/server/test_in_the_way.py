"""Somebody holds what the server's loop needs."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Broken, DatabaseLost, Event, InTheWay
from afterwork.store.dialects import database_of
from tests.support import shop
from tests.support.waiting import eventually

LIMIT = timedelta(seconds=0.1)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_table_that_somebody_has_locked_is_waited_for(engine: Engine) -> None:
    """The loop says that somebody is in its way, as often as it is so, and goes on with the same connection."""
    shop.create(engine)
    seen: list[Event] = []
    settings = aw.Settings(lock_limit=LIMIT, standby_poll=LIMIT, prune_every=LIMIT)
    app = aw.Afterwork(shop.Base, settings=settings, on_event=seen.append)
    app.install(engine)

    with app.serving(engine):
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE sys_async_ticket IN ACCESS EXCLUSIVE MODE"))
            eventually(lambda: sum(isinstance(event, InTheWay) for event in seen) > 1)
        with Session(engine) as session, session.begin():
            aw.later(shop.add_customer(session).assign_number)
        eventually(lambda: 1 in shop.numbers(engine))

    assert [event for event in seen if isinstance(event, Broken | DatabaseLost)] == []


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_transaction_that_can_not_begin_leaves_none_behind(engine: Engine) -> None:
    """What is sent along with the beginning may fail when the transaction has begun already."""
    shop.create(engine)
    database = database_of(engine, aw.Settings(lock_limit=LIMIT))
    connection = database.connect()
    with engine.begin() as other:
        other.execute(text("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(Exception, match="lock timeout"), database.transaction(connection, ["LOCK TABLE customer"]):
            raise AssertionError("it can't be had")

    with database.transaction(connection):
        assert connection.execute(text("SELECT count(*) FROM customer")).scalar() == 0
    database.discard(connection)
