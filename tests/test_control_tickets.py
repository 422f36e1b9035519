"""What is done to tickets by hand: one, some, or all that match; what is in another state is left alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

import afterwork as aw
from afterwork.control import Control, LeftAlone
from afterwork.control import tickets as ticket_acts
from afterwork.errors import BadRequest
from afterwork.events import Acted
from afterwork.insight import TicketFilter
from afterwork.store import tables
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer, numbers
from tests.support.world import everything


def control(the_shop: Shop) -> Control:
    return the_shop.app.control(the_shop.engine)


def ask(the_shop: Shop, count: int = 1, **values: Any) -> None:
    row = {"view_model": "Customer.assign_number", "root_id": "Customer!1"}
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), [row | values] * count)


def state(the_shop: Shop, number: int) -> str | None:
    found = the_shop.app.insight(the_shop.engine).tickets(TicketFilter(words=(str(number),))).tickets
    return next((ticket.state for ticket in found if ticket.key == str(number)), None)


def in_an_hour(the_shop: Shop) -> dict[str, Any]:
    return {"execute_earliest": the_shop.clock.now() + timedelta(hours=1)}


def failed(the_shop: Shop) -> dict[str, Any]:
    now = the_shop.clock.now()
    return {"done": now, "delete_time": now + timedelta(days=1), "error": "ValueError: bad", "attempts": 3}


def lease(the_shop: Shop, key: str) -> None:
    now = the_shop.clock.now()
    values = {"run": f"run of {key}", "ticket": key, "lane": "parallel", "server": 1, "epoch": 1, "taken": now}
    with the_shop.engine.begin() as connection:
        connection.execute(insert(tables.lease), values | {"expires": now + timedelta(minutes=1)})


def asked_to_stop(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(tables.progress.c.ticket).where(tables.progress.c.stop)).scalars())


@pytest.fixture
def busy(the_shop: Shop) -> Shop:
    """A shop with a customer, and a ticket in each state: 1 waits, 2 is scheduled, 3 has failed, 4 is done, 5 runs."""
    with the_shop.session() as session, session.begin():
        add_customer(session)
    ask(the_shop)
    ask(the_shop, **in_an_hour(the_shop))
    ask(the_shop, **failed(the_shop))
    ask(the_shop, **{**failed(the_shop), "error": None})
    ask(the_shop)
    lease(the_shop, "5")
    return the_shop


ALL = ["1", "2", "3", "4", "5", "4711"]
NOT_THERE = LeftAlone("4711", "there is no such ticket")


@pytest.mark.parametrize(
    ("act", "changed", "asked", "left", "states"),
    [
        (
            Control.retry_tickets,
            4,
            0,
            [LeftAlone("5", "it is running"), NOT_THERE],
            ["waiting", "waiting", "waiting", "waiting", "running"],
        ),
        (
            Control.run_tickets_now,
            1,
            0,
            [
                LeftAlone("1", "it is due already"),
                LeftAlone("3", "it has failed"),
                LeftAlone("4", "it is done"),
                LeftAlone("5", "it is running"),
                NOT_THERE,
            ],
            ["waiting", "waiting", "failed", "done", "running"],
        ),
        (
            Control.cancel_tickets,
            2,
            1,
            [LeftAlone("3", "it has failed"), LeftAlone("4", "it is done"), NOT_THERE],
            ["failed", "failed", "failed", "done", "running"],
        ),
    ],
)
def test_an_act_changes_what_it_is_for_and_says_what_it_left_alone(
    busy: Shop, act: Callable[..., Any], changed: int, asked: int, left: list[LeftAlone], states: list[str]
) -> None:
    found = act(control(busy), ALL, "ann")

    assert (found.changed, found.asked_to_stop, found.left_alone) == (changed, asked, len(left))
    assert list(found.named) == left
    assert [state(busy, number) for number in range(1, 6)] == states


def test_who_did_what_is_told_as_an_event(busy: Shop) -> None:
    control(busy).cancel_tickets(["1"], "ann")
    control(busy).retry_tickets(TicketFilter("failed", error="Cancelled by ann"), "bob")
    control(busy).pause("mail", "eve")

    assert [event for event in busy.seen if isinstance(event, Acted)] == [
        Acted("ann", "cancelled", "ticket 1: 1 changed, 0 left alone"),
        Acted("bob", "retried", 'failed tickets that match error:"Cancelled by ann": 1 changed, 0 left alone'),
        Acted("eve", "paused", "lane mail"),
    ]


def test_a_cancelled_ticket_ends_with_an_error_that_says_who_did_it_and_keeps_its_receipt(the_shop: Shop) -> None:
    ask(the_shop, keep_receipt_minutes=5)
    ask(the_shop, keep_receipt_minutes=60)

    assert control(the_shop).cancel_tickets(["1", "2"], "ann").changed == 2
    assert the_shop.run() == []

    now = the_shop.clock.now()
    for ticket, minutes in zip(everything(the_shop.engine, SysAsyncTicket), (5, 60), strict=True):
        assert ticket.error == "Cancelled by ann before it began."
        assert (ticket.done, ticket.delete_time) == (now, now + timedelta(minutes=minutes))
        assert ticket.attempts == 0


def test_a_retried_ticket_has_all_its_attempts_and_runs_at_once(busy: Shop) -> None:
    control(busy).retry("3")

    assert [ended.run.attempt for ended in busy.run() if ended.run.root_id][-1] == 1
    assert numbers(busy.engine) == [1]


def test_a_ticket_that_was_made_due_keeps_count_of_its_attempts(busy: Shop) -> None:
    ask(busy, attempts=2, **in_an_hour(busy))

    control(busy).run_tickets_now(["6"])

    assert 3 in [ended.run.attempt for ended in busy.run()]


def test_a_single_retry_that_can_not_be_says_why(busy: Shop) -> None:
    with pytest.raises(BadRequest, match="Ticket 4711 can't be retried: there is no such ticket"):
        control(busy).retry("4711")
    with pytest.raises(BadRequest, match="Ticket 5 can't be retried: it is running"):
        control(busy).retry("5")
    with pytest.raises(BadRequest, match="'no key' can't be the key of a ticket"):
        control(busy).cancel_tickets(["1", "no key"])
    assert state(busy, 1) == "waiting"


def test_all_that_match_are_changed_some_at_a_time(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_acts, "BATCH_SIZE", 4)
    for lane in (None, "mail"):
        ask(the_shop, 10, lane=lane)
        ask(the_shop, 5, lane=lane, **in_an_hour(the_shop))
    ask(the_shop, 3, view_model="Customer.export")

    found = control(the_shop).cancel_tickets(TicketFilter(work="assign"))

    assert (found.changed, found.left_alone, found.has_more) == (30, 0, False)
    counts = the_shop.app.insight(the_shop.engine).ticket_counts()
    assert (counts["waiting"].number, counts["failed"].number) == (3, 30)


def test_those_that_match_without_a_state_are_those_that_the_act_is_for(busy: Shop) -> None:
    assert control(busy).run_tickets_now(TicketFilter()).left_alone == 0
    assert state(busy, 2) == "waiting"
    assert control(busy).retry_tickets(TicketFilter()).changed == 1
    assert (state(busy, 3), state(busy, 4)) == ("waiting", "done")
    cancelled = control(busy).cancel_tickets(TicketFilter())
    assert (cancelled.changed, cancelled.asked_to_stop, cancelled.left_alone) == (3, 1, 0)


def test_no_more_are_changed_than_asked_for(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_acts, "BATCH_SIZE", 4)
    ask(the_shop, 10)

    first = control(the_shop).cancel_tickets(TicketFilter(), limit=6)
    second = control(the_shop).cancel_tickets(TicketFilter(), limit=6)

    assert (first.changed, first.has_more) == (6, True)
    assert (second.changed, second.has_more) == (4, False)


def test_a_ticket_that_somebody_has_locked_is_left_alone_and_nobody_waits(busy: Shop) -> None:
    if busy.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no locks of rows")
    with busy.engine.begin() as connection:
        connection.execute(select(SysAsyncTicket).where(SysAsyncTicket.id == 1).with_for_update())
        found = control(busy).cancel_tickets(["1", "2"])

    assert (found.changed, [one.key for one in found.named]) == (1, ["1"])
    assert "it is running" in found.named[0].why


def test_a_run_that_goes_on_is_asked_to_stop_until_it_is_retried(busy: Shop) -> None:
    control(busy).cancel_tickets(["5"])
    assert asked_to_stop(busy.engine) == ["5"]

    with busy.engine.begin() as connection:
        connection.execute(tables.lease.delete())
    control(busy).retry("5")
    assert asked_to_stop(busy.engine) == []


def test_an_external_run_that_is_cancelled_while_it_works_saves_nothing(the_shop: Shop, monkeypatch: Any) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).export)

    def cancel_meanwhile(customer: Customer) -> None:
        customer.notes = "never saved"
        assert control(the_shop).cancel_tickets(["1"]).asked_to_stop == 1

    monkeypatch.setattr(vars(Customer)["export"], "function", cancel_meanwhile)
    the_shop.run()

    (ticket,) = everything(the_shop.engine, SysAsyncTicket)
    (customer,) = everything(the_shop.engine, Customer)
    assert (ticket.error, customer.notes) == ("cancelled", "")
