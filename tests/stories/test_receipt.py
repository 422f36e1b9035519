"""Receipts: a ticket stays for a while after its work was done, and then is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket, add_customer, numbers
from tests.support.world import everything, the_only


def test_a_ticket_that_has_ended_is_its_own_receipt_for_ten_minutes(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number)

    the_shop.run()

    receipt = the_only(the_shop.engine, SysAsyncTicket)
    assert receipt.done == the_shop.clock.now()
    assert receipt.delete_time == receipt.done + timedelta(minutes=10)
    assert receipt.error is None

    the_shop.clock.advance(timedelta(minutes=9))
    the_shop.run()
    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1

    the_shop.clock.advance(timedelta(minutes=2))
    the_shop.run()
    assert everything(the_shop.engine, SysAsyncTicket) == []
    assert numbers(the_shop.engine) == [1]


def test_a_receipt_stays_as_long_as_it_was_asked_to(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, keep=timedelta(days=1))

    the_shop.run()
    the_shop.clock.advance(timedelta(hours=23))
    the_shop.run()

    assert the_only(the_shop.engine, SysAsyncTicket).keep_receipt_minutes == 24 * 60


DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.mark.parametrize(("asked", "kept"), [(timedelta(0), WEEK), (DAY, WEEK), (30 * DAY, 30 * DAY)])
def test_a_failure_stays_for_a_week_or_longer_if_it_was_asked_to(
    the_shop: Shop, asked: timedelta, kept: timedelta
) -> None:
    ask_and_fail(the_shop, asked)

    assert_stays(the_shop, kept)


@pytest.mark.parametrize(
    ("set_to", "kept"),
    [
        (timedelta(0), timedelta(minutes=10)),
        (timedelta(minutes=10, seconds=1), timedelta(minutes=11)),
        (DAY, DAY),
        (timedelta.max, timedelta(days=365_250)),
    ],
)
def test_the_settings_say_for_how_long_a_failure_stays(the_shop: Shop, set_to: timedelta, kept: timedelta) -> None:
    the_shop.app.settings = replace(the_shop.settings, keep_failures=set_to)
    ask_and_fail(the_shop, timedelta(minutes=10))

    assert_stays(the_shop, kept)


def test_a_cancelled_ticket_has_not_failed(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, after=DAY)
    the_shop.app.control(the_shop.engine).cancel_tickets(["1"], "Ann")

    assert_stays(the_shop, timedelta(minutes=10))


def ask_and_fail(shop: Shop, keep: timedelta) -> None:
    with shop.session() as session, session.begin():
        numbered = add_customer(session)
        numbered.number = 1  # so the precondition is false
        aw.later(numbered.assign_number, keep=keep)
    shop.run()


def assert_stays(shop: Shop, kept: timedelta) -> None:
    """A ticket that has ended with an Error stays for so long, and not longer."""
    receipt = the_only(shop.engine, SysAsyncTicket)
    assert receipt.error
    assert receipt.done is not None
    assert receipt.delete_time == receipt.done + kept
