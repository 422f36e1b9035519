"""`aw.later`: a ticket in the object's own transaction, with all that can be asked for."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import scoped_session, sessionmaker

import afterwork as aw
from afterwork.errors import BadRequest, NaiveDatetime, NoSession
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, TheCustomerNumberAssigner, VipCustomer, add_customer, numbers
from tests.support.world import everything, the_only


def test_a_ticket_has_what_was_asked_for(the_shop: Shop) -> None:
    moment = datetime(2030, 7, 1, 12, tzinfo=ZoneInfo("Europe/Stockholm"))
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.assign_number, at=moment, keep=timedelta(hours=2), priority=1, lane="numbers")

    ticket = the_only(the_shop.engine, SysAsyncTicket)
    assert ticket.view_model == "Customer.assign_number"
    assert ticket.root_id == "Customer!1"
    assert ticket.execute_earliest == datetime(2030, 7, 1, 10, tzinfo=UTC)
    assert ticket.keep_receipt_minutes == 120
    assert ticket.priority == 1
    assert ticket.lane == "numbers"
    assert (ticket.done, ticket.delete_time, ticket.error, ticket.attempts) == (None, None, None, 0)


def test_a_ticket_has_what_was_left_out(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number)

    ticket = the_only(the_shop.engine, SysAsyncTicket)
    assert (ticket.execute_earliest, ticket.keep_receipt_minutes) == (None, 10)
    assert (ticket.priority, ticket.lane) == (None, None)


def test_after_is_counted_from_now(the_shop: Shop) -> None:
    before = datetime.now(UTC)
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, after=timedelta(hours=1))

    earliest = the_only(the_shop.engine, SysAsyncTicket).execute_earliest
    assert before + timedelta(hours=1) <= earliest <= datetime.now(UTC) + timedelta(hours=1)


def test_a_receipt_is_kept_for_whole_minutes(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = add_customer(session)
        keeps = [timedelta(0), timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=1, microseconds=1)]

        assert [aw.later(ann.assign_number, keep=keep).keep_receipt_minutes for keep in keeps] == [0, 1, 1, 2]


def test_what_cannot_be_meant_is_refused(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = add_customer(session)
        with pytest.raises(NaiveDatetime, match="has no time zone, so it names no point in time"):
            aw.later(ann.assign_number, at=datetime(2030, 1, 1))
        with pytest.raises(BadRequest, match="Give at= or after=, not both"):
            aw.later(ann.assign_number, at=datetime.now(UTC), after=timedelta(0))
        with pytest.raises(BadRequest, match="can't be kept for less than no time"):
            aw.later(ann.assign_number, keep=timedelta(seconds=-1))
        with pytest.raises(BadRequest, match="A lane needs a name"):
            aw.later(ann.assign_number, lane="")
        with pytest.raises(BadRequest, match=r"is no work. Give a method marked with @aw.method, without calling it"):
            aw.later(ann.assign_number())  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match="is no work"):
            aw.later(ann.not_marked)  # type: ignore[arg-type]
        with pytest.raises(
            BadRequest, match=r"is no work by itself. Make one of it: aw.later\(TheCustomerNumberAssigner\(customer\)\)"
        ):
            aw.later(TheCustomerNumberAssigner)  # type: ignore[arg-type]
        session.rollback()
    assert everything(the_shop.engine, SysAsyncTicket) == []


def test_an_object_in_no_session_is_refused() -> None:
    with pytest.raises(NoSession, match=r"This Customer is in no session. Add it to one first"):
        aw.later(Customer(name="Ann").assign_number)


def test_a_method_is_named_with_the_class_that_has_it(the_shop: Shop) -> None:
    """So that one work has one name, whatever the class of its root."""
    with the_shop.session() as session, session.begin():
        vip = VipCustomer(name="Vip")
        session.add(vip)
        ticket = aw.later(vip.assign_number)
    the_shop.run()

    with the_shop.session() as session:
        session.add(ticket)
        assert (ticket.view_model, ticket.root_id) == ("Customer.assign_number", "VipCustomer!1")
    assert numbers(the_shop.engine) == [1]


def test_rolling_back_leaves_no_ticket(the_shop: Shop) -> None:
    with the_shop.session() as session:
        aw.later(add_customer(session).assign_number)
        session.flush()
        session.rollback()

    assert everything(the_shop.engine, SysAsyncTicket) == []
    assert the_shop.run() == []


def test_a_scoped_session_serves(the_shop: Shop) -> None:
    session = scoped_session(sessionmaker(the_shop.engine))
    try:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.assign_number)
        session.add(SysAsyncTicket(view_model="Customer.send_mail", root_object=ann))
        session.commit()
    finally:
        session.remove()

    assert len(the_shop.run()) == 2
    assert numbers(the_shop.engine) == [1]


# unique=True


def test_asking_twice_in_one_session_gives_the_same_ticket(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann, bob = add_customer(session), add_customer(session)
        first = aw.later(ann.send_mail, unique=True)

        assert aw.later(ann.send_mail, unique=True) is first
        assert aw.later(bob.send_mail, unique=True) is not first
        assert aw.later(ann.assign_number, unique=True) is not first
        session.flush()
        assert aw.later(ann.send_mail, unique=True) is first
        assert aw.later(ann.send_mail) is not first

    assert len(everything(the_shop.engine, SysAsyncTicket)) == 4


def test_asking_in_another_session_joins_the_pending_ticket(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).send_mail, unique=True)
    for _ in range(3):
        with the_shop.session() as session, session.begin():
            assert aw.later(session.get_one(Customer, 1).send_mail, unique=True).id == 1

    assert len(the_shop.run()) == 1


def test_a_plain_ticket_is_joined_too(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Customer.send_mail", root_object=add_customer(session)))
    with the_shop.session() as session, session.begin():
        assert aw.later(session.get_one(Customer, 1).send_mail, unique=True).id == 1


def test_a_joined_ticket_is_brought_forward_and_never_put_back(the_shop: Shop) -> None:
    def ask(**wanted: object) -> SysAsyncTicket:
        with the_shop.session() as session, session.begin():
            aw.later(session.get_one(Customer, 1).send_mail, unique=True, **wanted)  # type: ignore[arg-type]
        return the_only(the_shop.engine, SysAsyncTicket)  # type: ignore[no-any-return]

    with the_shop.session() as session, session.begin():
        add_customer(session)
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)

    assert ask(at=noon).execute_earliest == noon
    assert ask(at=noon + timedelta(hours=1), priority=5).execute_earliest == noon
    assert ask(at=noon - timedelta(hours=1), priority=7).execute_earliest == noon - timedelta(hours=1)
    assert ask(at=noon, priority=2).priority == 2
    assert ask().execute_earliest is None
    assert ask(at=noon).execute_earliest is None


def test_a_ticket_that_has_ended_is_not_joined(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).send_mail, unique=True)
    the_shop.run()
    with the_shop.session() as session, session.begin():
        aw.later(session.get_one(Customer, 1).send_mail, unique=True)

    ended, fresh = everything(the_shop.engine, SysAsyncTicket)
    assert (ended.done is None, fresh.done is None) == (False, True)


def test_a_ticket_that_has_begun_is_not_joined(the_shop: Shop) -> None:
    """Its run may have read the data before this transaction changed it."""
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, unique=True)
    begun, asked = threading.Event(), threading.Event()

    def hold(event: object) -> None:
        if getattr(event, "point", "") == "ran":
            begun.set()
            assert asked.wait(20)

    app = aw.Afterwork(the_shop.app.base, on_event=hold)
    server = threading.Thread(target=lambda: app.run_until_idle(the_shop.engine))
    if the_shop.engine.dialect.name == "sqlite":
        # The run holds the only write lock, so whoever asks waits until it has ended.
        asked.set()
    server.start()
    try:
        assert begun.wait(20)
        with the_shop.session() as session, session.begin():
            aw.later(session.get_one(Customer, 1).assign_number, unique=True)
    finally:
        asked.set()
        server.join()

    assert len(everything(the_shop.engine, SysAsyncTicket)) == 2


def test_many_threads_that_ask_at_once_get_one_ticket(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        add_customer(session)
    start, failures = threading.Barrier(8), []

    def ask() -> None:
        try:
            start.wait()
            for _ in range(5):
                with the_shop.session() as session, session.begin():
                    aw.later(session.get_one(Customer, 1).send_mail, unique=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1


def test_a_unique_request_for_a_new_root_in_no_flush_yet_is_one_ticket(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        for _ in range(3):
            aw.later(ann.assign_number, unique=True)

    assert len(everything(the_shop.engine, SysAsyncTicket)) == 1
