"""A method with a function for many does the tickets of a batch by one call, and everything is as if one by one."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

import afterwork as aw
from afterwork.errors import ManyCurrentRuns, NoCurrentRun
from afterwork.events import Ran
from afterwork.jobs import in_transaction
from tests.jobs.many_scene import Customer, Stranger, SysAsyncTicket, Vip, ask, ask_for, numbers, some, world
from tests.support.world import World, errors, everything, statements

__all__ = ["world"]

YESTERDAY, TOMORROW = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)


def of(customer: Customer) -> Any:
    """The condition of the tickets of a customer."""
    return SysAsyncTicket.root_id == f"Customer!{customer.id}"


def test_the_tickets_of_a_batch_are_done_by_one_call_in_their_order(world: World) -> None:
    ask(world, *some(3))
    ask(world, *some(2), priority=1)

    world.run()

    assert Customer.calls == [[5, 6], [2, 3, 4]]
    assert numbers(world) == [4, 5, 6, 2, 3]


def test_each_ticket_has_a_run_and_a_receipt_of_its_own(world: World) -> None:
    ask(world, *some(3), keep_receipt_minutes=20)

    ended = world.run()

    ran = [event for event in world.seen if isinstance(event, Ran)]
    assert [event.root_id for event in ran] == ["Customer!2", "Customer!3", "Customer!4"]
    assert [event.run for event in ran] == [str(one.run.id) for one in ended]
    assert len({event.run for event in ran}) == 3
    assert len({event.facts.seconds for event in ran}) == 1
    for ticket in world.all(SysAsyncTicket):
        assert ticket.delete_time - ticket.done == timedelta(minutes=20)
        assert (ticket.error, ticket.attempts) == (None, 1)


def test_what_it_costs_the_database_does_not_depend_on_how_many_there_are(world: World) -> None:
    costs = []
    for count in (20, 200):
        ask(world, *some(count))
        with statements(world.engine) as sent:
            world.run()
        costs.append(sum("customer" in statement for statement in sent))

    assert [len(call) for call in Customer.calls] == [20, 200]
    assert costs == [3, 3]  # the roots, the last number, and the new ones


def test_a_ticket_that_comes_alone_is_done_by_the_method_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Customer.assign_number, "for_many", lambda customers: pytest.fail("not for one"))
    ask(world, Customer())

    world.run()

    assert numbers(world) == [2]


def test_only_what_follows_each_other_is_taken_together(world: World) -> None:
    ask(world, *some(2))
    ask(world, Customer(), work="greet")
    ask(world, *some(3))

    world.run()

    assert Customer.calls == [[2, 3], [4], [5, 6, 7]]


def test_a_root_that_comes_twice_is_in_two_calls(world: World) -> None:
    first, *others = some(3)
    ask(world, first, *others)
    with world.session() as session, session.begin():
        ask_for(session, [session.get_one(Customer, number) for number in (2, 4)], "assign_number")
    ask(world, Customer())

    world.run()

    assert Customer.calls == [[2, 3, 4], [5]]
    *well, again, once_more, last = errors(world.engine, SysAsyncTicket)
    assert [*well, last] == [None] * 4
    assert again == once_more == "The precondition of Customer.assign_number is false."


def test_subclasses_that_inherit_the_method_join_and_one_that_overrides_it_does_not(world: World) -> None:
    ask(world, Customer(), Vip(), Customer(), Stranger(), Stranger(), Vip(), Customer())

    world.run()

    assert Customer.calls == [[2, 3, 4], [5], [6], [7, 8]]
    assert numbers(world) == [2, 3, 4, -5, -6, 5, 6]


def test_a_ticket_that_may_not_run_ends_with_its_error_and_the_others_run(world: World) -> None:
    gone, late = some(2)
    ask(world, Customer(), Customer(number=77), Customer(), gone, Customer(), late, Customer(), Customer())
    with world.session() as session, session.begin():
        session.delete(session.merge(gone))
        session.execute(update(SysAsyncTicket).where(of(late)).values(not_after=YESTERDAY))

    world.run()

    assert Customer.calls == [[2, 4], [6], [8, 9]]
    assert [(error or "").partition(" ")[0] for error in errors(world.engine, SysAsyncTicket)] == [
        "", "The", "", "The", "", "Expired", "", ""
    ]  # fmt: skip


def _calls_off(session: Any, other: Customer) -> None:
    session.execute(update(SysAsyncTicket).where(of(other)).values(done=TOMORROW))


def _calls_off_by_object(session: Any, other: Customer) -> None:
    session.scalars(select(SysAsyncTicket).where(of(other))).one().execute_earliest = TOMORROW


def _deletes(session: Any, other: Customer) -> None:
    session.execute(delete(SysAsyncTicket).where(of(other)))


@pytest.mark.parametrize("way", [_calls_off, _calls_off_by_object, _deletes])
def test_a_ticket_that_the_call_calls_off_does_not_run_even_if_it_is_of_the_same_call(
    world: World, monkeypatch: pytest.MonkeyPatch, way: Any
) -> None:
    def call_off_the_next(customers: Sequence[Customer]) -> None:
        for customer in customers:
            if customer.id in (2, 4):
                way(aw.session(customer), aw.session(customer).get_one(Customer, customer.id + 1))

    monkeypatch.setattr(Customer, "act", staticmethod(call_off_the_next))
    ask(world, *some(4))

    world.run()

    assert numbers(world) == [2, None, 3, None]


def test_a_more_urgent_ticket_that_the_call_asks_for_runs_before_those_of_the_same_call(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_for_greeting(customers: Sequence[Customer]) -> None:
        if customers[0].id == 2:
            aw.later(customers[0].greet, priority=1)

    monkeypatch.setattr(Customer, "act", staticmethod(ask_for_greeting))
    ask(world, *some(3))

    ran = [ended.run.work for ended in world.run()]

    assert ran == ["Customer.assign_number", "Customer.greet", "Customer.assign_number", "Customer.assign_number"]


def test_a_unique_request_joins_no_ticket_of_the_same_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That one may have read what this call has changed since."""

    def ask_for_all(customers: Sequence[Customer]) -> None:
        if customers[0].number is None:
            for customer in customers:
                aw.later(customer.assign_number, unique=True)

    monkeypatch.setattr(Customer, "act", staticmethod(ask_for_all))
    ask(world, *some(2))

    world.run()

    assert len(everything(world.engine, SysAsyncTicket)) == 4


def test_no_run_of_the_call_is_the_current_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Exception] = []

    def ask_for_the_run(customers: Sequence[Customer]) -> None:
        try:
            aw.current_run()
        except NoCurrentRun as error:
            raised.append(error)

    monkeypatch.setattr(Customer, "act", staticmethod(ask_for_the_run))
    ask(world, *some(2))

    world.run()

    assert [type(error) for error in raised] == [ManyCurrentRuns]
    assert numbers(world) == [2, 3]


def test_progress_of_the_call_is_told_of_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Customer, "act", staticmethod(lambda customers: aw.progress(1, 2)))
    ask(world, *some(2))

    world.run()

    assert Customer.calls == [[2, 3]]


def test_a_call_has_the_clock_of_its_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Customer, "act", staticmethod(lambda customers: aw.later(customers[0].greet, after=timedelta(days=1)))
    )
    world.clock.advance(timedelta(days=10))
    ask(world, *some(2))

    world.run()

    assert world.all(SysAsyncTicket)[-1].execute_earliest == world.clock.now() + timedelta(days=1)


def test_a_call_is_given_no_more_than_fit_into_the_time_of_a_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it takes for each is known from the call before."""
    monkeypatch.setattr(Customer, "act", staticmethod(lambda customers: time.sleep(0.01 * len(customers))))
    monkeypatch.setattr(in_transaction, "BATCH_SECONDS", 0.05)
    world.app.settings = aw.Settings(batch=10)
    ask(world, *some(20))

    world.run()

    first, *others = [len(call) for call in Customer.calls]
    assert (first, sum(others)) == (10, 10)
    assert max(others) <= 5
