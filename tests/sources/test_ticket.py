"""Tickets start jobs: which, in what order, in which lane, and how they end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

import afterwork as aw
from afterwork.errors import BadRequest
from tests.conftest import Shop
from tests.support.shop import Customer, Order, SysAsyncTicket, VipCustomer, add_customer, numbers
from tests.support.world import errors, everything, the_only, works


def rows(the_shop: Shop, *values: dict[str, Any]) -> None:
    """Insert tickets as another program would."""
    with the_shop.engine.begin() as connection:
        for value in values:
            connection.execute(insert(SysAsyncTicket).values(value))


def customers(the_shop: Shop, count: int) -> None:
    with the_shop.session() as session, session.begin():
        for _ in range(count):
            add_customer(session)


# Only what is registered can run.

UNREGISTERED = {
    "Customer.not_marked": "is not marked with @aw.method",
    "Customer.name": "is not marked with @aw.method",
    "Customer.orders": "is not marked with @aw.method",
    "Customer.metadata": "is not marked with @aw.method",
    "Customer.__init__": "is not marked with @aw.method",
    "Customer.__class__": "is not marked with @aw.method",
    "Customer.__mapper__": "is not marked with @aw.method",
    "Customer.ViewModels": "is not marked with @aw.method",
    "Customer.assign_number.__call__": "is no view model, no method and no job function",
    "Customer.assign_number.function": "is no view model, no method and no job function",
    "Customer.assign_number()": "is no view model, no method and no job function",
    "Customer.no_such": "is no view model, no method and no job function",
    "Customer.": "is no view model, no method and no job function",
    "Customer": "is no view model, no method and no job function",
    ".assign_number": "the model has no class ''",
    "Nobody.assign_number": "the model has no class 'Nobody'. Near to it: Customer.assign_number",
    "os.system": "the model has no class 'os'",
    "ViewModel": "is no view model, no method and no job function",
    "TheCustomerNumberAsigner": "Near to it: TheCustomerNumberAssigner",
    "TheCustomerNumberAssigner.assign": "the model has no class 'TheCustomerNumberAssigner'",
    "'; DROP TABLE customer; --": "is no view model, no method and no job function",
    "räksmörgås": r"'r\xe4ksm\xf6rg\xe5s' is no view model",
    "x" * 10_000: "(10,002 characters) is no view model",
    "": "ViewModel is empty",
}


def test_only_what_the_model_registers_can_run(the_shop: Shop) -> None:
    customers(the_shop, 1)
    rows(the_shop, *({"view_model": name, "root_id": "Customer!1"} for name in UNREGISTERED))
    rows(the_shop, {"view_model": None, "root_id": "Customer!1"})

    the_shop.run()

    found = errors(the_shop.engine, SysAsyncTicket)
    for name, said, error in zip(UNREGISTERED, UNREGISTERED.values(), found, strict=False):
        assert said in (error or ""), name
        assert len(error or "") < 1000
    assert found[-1] == found[-2]
    assert the_only(the_shop.engine, Customer).number is None


def test_names_are_matched_without_regard_to_case_and_underscores(the_shop: Shop) -> None:
    customers(the_shop, 2)
    rows(
        the_shop,
        {"view_model": "customer.AssignNumber", "root_id": "Customer!1"},
        {"view_model": "the_customer_number_assigner", "root_id": "Customer!2"},
    )

    the_shop.run()

    assert numbers(the_shop.engine) == [1, 2]


def test_a_root_of_another_class_than_the_work_is_for_is_refused(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        order = Order(customer=ann)
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_object=order))
        session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=order))
        session.add(SysAsyncTicket(view_model="VipCustomer.assign_number", root_object=ann))
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_object=VipCustomer(name="Bob")))
    rows(the_shop, {"view_model": "Customer.assign_number"})

    the_shop.run()

    assert errors(the_shop.engine, SysAsyncTicket) == [
        "Customer.assign_number needs a root of class Customer, not Order.",
        "TheCustomerNumberAssigner needs a root of class Customer, not Order.",
        "VipCustomer.assign_number needs a root of class VipCustomer, not Customer.",
        None,
        "Customer.assign_number needs a root of class Customer, but the ticket has no RootId.",
    ]
    assert numbers(the_shop.engine) == [None, 1]


# Order.


def test_tickets_run_by_priority_then_moment_then_key(the_shop: Shop) -> None:
    """1 runs before 2, null last; in one priority by ExecuteEarliest, or creation; then by key."""
    now = the_shop.clock.now()
    customers(the_shop, 9)
    wanted = [7, 1, 5, 4, 8, 2, 3, 6, 9]
    asked: list[dict[str, Any]] = [
        {"priority": 1},
        {"priority": None, "execute_earliest": now - timedelta(hours=1)},
        {"priority": None},
        {"priority": 2, "execute_earliest": now - timedelta(hours=1)},
        {"priority": 1, "execute_earliest": now - timedelta(minutes=10)},
        {"priority": None},
        {"priority": -5},
        {"priority": 2},
        {"priority": None, "execute_earliest": now},
    ]
    for n, values in enumerate(asked, start=1):
        work = {"view_model": "Customer.assign_number", "root_id": f"Customer!{n}"}
        rows(the_shop, {**work, "created": now - timedelta(minutes=30), **values})

    the_shop.run()

    order = numbers(the_shop.engine)
    assert [order.index(place) + 1 for place in range(1, 10)] == wanted


def test_a_ticket_that_becomes_more_urgent_overtakes(the_shop: Shop) -> None:
    the_shop.app.settings = aw.Settings(batch=1)
    customers(the_shop, 3)
    rows(the_shop, *({"view_model": "Customer.assign_number", "root_id": f"Customer!{n}"} for n in (1, 2, 3)))
    with the_shop.session() as session, session.begin():
        session.execute(update(SysAsyncTicket).where(SysAsyncTicket.root_id == "Customer!3").values(priority=1))

    the_shop.run()

    assert numbers(the_shop.engine) == [2, 3, 1]


def test_work_that_is_not_due_does_not_hold_up_work_of_lower_priority(the_shop: Shop) -> None:
    customers(the_shop, 2)
    tomorrow = the_shop.clock.now() + timedelta(days=1)
    rows(
        the_shop,
        {
            "view_model": "Customer.assign_number",
            "root_id": "Customer!1",
            "priority": 1,
            "execute_earliest": tomorrow,
        },
        {"view_model": "Customer.assign_number", "root_id": "Customer!2"},
    )

    the_shop.run()

    assert numbers(the_shop.engine) == [None, 1]


def test_a_clock_of_an_application_that_is_ahead_delays_nothing(the_shop: Shop) -> None:
    """`created` orders; it is no moment to wait for."""
    customers(the_shop, 1)
    rows(
        the_shop,
        {
            "view_model": "Customer.assign_number",
            "root_id": "Customer!1",
            "created": the_shop.clock.now() + timedelta(seconds=50),
        },
    )

    the_shop.run()

    assert numbers(the_shop.engine) == [1]


def test_more_tickets_than_a_batch_takes_run_in_order(the_shop: Shop) -> None:
    the_shop.app.settings = aw.Settings(batch=7)
    with the_shop.session() as session, session.begin():
        for _ in range(50):
            aw.later(add_customer(session).assign_number)

    assert len(the_shop.run()) == 50
    assert numbers(the_shop.engine) == list(range(1, 51))


# Lanes.


def test_a_lane_is_the_one_that_is_declared_or_the_one_that_is_asked_for(the_shop: Shop) -> None:
    """Also for a plain row that names none: it is moved to the lane of its work."""
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.send_mail)
        aw.later(ann.send_mail, lane="other")
        aw.later(ann.send_mail, lane=None)
        aw.later(ann.calculate)
        aw.later(ann.calculate, lane="main")
        aw.later(ann.assign_number)
        session.add(SysAsyncTicket(view_model="Customer.send_mail", root_object=ann))
        session.add(SysAsyncTicket(view_model="Customer.calculate", root_object=ann))
        session.add(SysAsyncTicket(view_model="Customer.send_mail", root_object=ann, lane="main"))

    ran = the_shop.run()

    lanes = [ticket.lane for ticket in everything(the_shop.engine, SysAsyncTicket)]
    assert lanes == ["mail", "other", "parallel", "parallel", "main", None, "mail", "parallel", "main"]
    assert sorted(one.run.lane for one in ran) == sorted(lane or "main" for lane in lanes)
    assert errors(the_shop.engine, SysAsyncTicket) == [None] * 9


def test_a_paused_lane_runs_nothing_and_others_go_on(the_shop: Shop) -> None:
    control = the_shop.app.control(the_shop.engine)
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.send_mail)
        aw.later(ann.assign_number)

    control.pause("mail")
    assert works(the_shop.run()) == [("Customer.assign_number", "Customer!1")]

    control.resume("mail")
    assert works(the_shop.run()) == [("Customer.send_mail", "Customer!1")]


# What ends a ticket.


@pytest.mark.parametrize("keep", [-1, 525_960_001, 2**31 - 1])
def test_a_receipt_time_that_cannot_be_meant_is_refused_when_the_row_is_saved(the_shop: Shop, keep: int) -> None:
    with the_shop.session() as session:
        ann = add_customer(session)
        session.add(
            SysAsyncTicket(view_model="Customer.assign_number", root_object=ann, keep_receipt_minutes=keep),
        )
        with pytest.raises(BadRequest, match=f"keep_receipt_minutes is {keep}. It must be 0 or more minutes"):
            session.flush()


def test_a_receipt_time_that_cannot_be_meant_ends_a_row_that_came_another_way(the_shop: Shop) -> None:
    customers(the_shop, 1)
    rows(
        the_shop,
        *(
            {"view_model": "Customer.assign_number", "root_id": "Customer!1", "keep_receipt_minutes": keep}
            for keep in (-1, -(2**31), 2**31 - 1)
        ),
    )

    the_shop.run()

    assert numbers(the_shop.engine) == [None]
    for ticket in everything(the_shop.engine, SysAsyncTicket):
        assert ticket.error == (
            f"KeepReceiptMinutes is {ticket.keep_receipt_minutes}. It must be 0 or more minutes, at most 525,960,000."
        )
        assert ticket.delete_time == ticket.done + timedelta(days=7)


def test_a_receipt_that_is_not_to_be_kept_is_gone_at_the_next_pruning(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, keep=timedelta(0))

    the_shop.run()
    the_shop.clock.advance(timedelta(seconds=1))
    the_shop.run()

    assert numbers(the_shop.engine) == [1]
    assert everything(the_shop.engine, SysAsyncTicket) == []


def test_many_receipts_are_pruned_and_the_pending_and_the_young_stay(the_shop: Shop) -> None:
    now = the_shop.clock.now()
    ended = {"view_model": "Customer.assign_number", "done": now - timedelta(hours=1)}
    old = [{**ended, "delete_time": now - timedelta(minutes=50)} for _ in range(2500)]
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), old)
    rows(
        the_shop,
        {**ended, "delete_time": now + timedelta(minutes=1)},
        {"view_model": "Customer.assign_number", "execute_earliest": now + timedelta(days=1)},
    )

    the_shop.run()

    assert [ticket.id for ticket in everything(the_shop.engine, SysAsyncTicket)] == [2501, 2502]


def test_a_ticket_with_an_error_and_no_done_is_not_pending(the_shop: Shop) -> None:
    """Pending is: Done and Error are null."""
    customers(the_shop, 1)
    rows(the_shop, {"view_model": "Customer.assign_number", "root_id": "Customer!1", "error": "stopped by hand"})

    assert the_shop.run() == []
    assert numbers(the_shop.engine) == [None]


def test_what_ended_does_not_run_again(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).send_mail)

    assert len(the_shop.run()) == 1
    assert the_shop.run() == []
    the_shop.clock.advance(timedelta(minutes=5))
    assert the_shop.run() == []
    assert the_only(the_shop.engine, Customer).notes == "mailed"


# By hand.


def test_a_ticket_that_failed_can_be_retried_by_hand(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_id="Customer!1"))
    the_shop.run()
    customers(the_shop, 1)

    the_shop.app.control(the_shop.engine).retry("1")
    the_shop.run()

    ticket = the_only(the_shop.engine, SysAsyncTicket)
    assert (ticket.error, ticket.attempts) == (None, 1)
    assert numbers(the_shop.engine) == [1]


@pytest.mark.parametrize("key", ["2", "abc", "", "1; DROP TABLE customer", "-1", "9" * 30])
def test_retrying_a_ticket_that_is_not_there_says_so(the_shop: Shop, key: str) -> None:
    with pytest.raises(BadRequest, match=r"there is no such ticket|can't be the key of a ticket"):
        the_shop.app.control(the_shop.engine).retry(key)


# How rows may be written.


def test_rows_of_bulk_inserts_and_of_raw_sql_run(the_shop: Shop) -> None:
    customers(the_shop, 4)
    with the_shop.session() as session, session.begin():
        session.execute(
            insert(SysAsyncTicket).values(
                [{"view_model": "Customer.assign_number", "root_id": f"Customer!{n}"} for n in (1, 2)]
            )
        )
        session.execute(insert(SysAsyncTicket), [{"view_model": "Customer.assign_number", "root_id": "Customer!3"}])
        session.execute(
            text(
                "INSERT INTO sys_async_ticket (view_model, root_id) VALUES ('TheCustomerNumberAssigner', 'Customer!4')"
            )
        )

    the_shop.run()

    assert sorted(map(str, numbers(the_shop.engine))) == ["1", "2", "3", "4"]


def test_a_naive_moment_in_an_aware_column_is_refused_when_it_is_saved(the_shop: Shop) -> None:
    with the_shop.session() as session:
        session.add(SysAsyncTicket(view_model="Customer.assign_number", execute_earliest=datetime.now()))
        with pytest.raises(BadRequest, match="has no time zone, so it names no point in time"):
            session.flush()


def test_a_moment_that_is_no_moment_is_refused_when_it_is_saved(the_shop: Shop) -> None:
    with the_shop.session() as session:
        session.add(SysAsyncTicket(view_model="Customer.assign_number", execute_earliest="tomorrow"))
        with pytest.raises(BadRequest, match="execute_earliest is 'tomorrow', not a datetime"):
            session.flush()


def test_an_aware_moment_of_any_zone_is_kept_as_the_moment_that_it_is(the_shop: Shop) -> None:
    from zoneinfo import ZoneInfo

    moment = datetime(2030, 7, 1, 12, 0, tzinfo=ZoneInfo("Europe/Stockholm"))
    with the_shop.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Customer.assign_number", execute_earliest=moment))

    with the_shop.session() as session:
        stored = session.scalars(select(SysAsyncTicket.execute_earliest)).one()
    assert stored == datetime(2030, 7, 1, 10, 0, tzinfo=UTC)


def test_a_root_id_beyond_what_its_column_can_hold_is_a_root_that_is_not_there(the_shop: Shop) -> None:
    customers(the_shop, 1)
    far = ["Customer!9223372036854775807", "Customer!-9223372036854775808", "Customer!2147483648"]
    rows(the_shop, *({"view_model": "Customer.assign_number", "root_id": root_id} for root_id in far))
    rows(the_shop, {"view_model": "Customer.assign_number", "root_id": "Customer!1"})

    the_shop.run()

    gone = [f"The root {root_id} is not there (any more)." for root_id in far]
    assert errors(the_shop.engine, SysAsyncTicket) == [*gone, None]
    assert numbers(the_shop.engine) == [1]
