"""Work that is of no use any more after a moment, and is not begun then."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, Text, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadRequest, NaiveDatetime
from afterwork.events import Expired, Failed
from afterwork.insight import TicketFilter
from tests.conftest import Shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer, numbers
from tests.support.world import World, everything, the_only

HOUR = timedelta(hours=1)


def ask(shop: Shop, work: str = "assign_number", **asked: Any) -> None:
    with shop.session() as session, session.begin():
        aw.later(getattr(add_customer(session), work), **asked)


@pytest.mark.parametrize("work", ["assign_number", "export", "calculate"])
def test_work_whose_turn_comes_too_late_is_not_run(the_shop: Shop, work: str) -> None:
    ask(the_shop, work, not_after=the_shop.clock.now() + HOUR)
    the_shop.clock.advance(HOUR + timedelta(minutes=2))

    the_shop.run()

    ticket = the_only(the_shop.engine, SysAsyncTicket)
    customer = the_only(the_shop.engine, Customer)
    assert (customer.number, customer.notes) == (None, "")
    assert ticket.done == the_shop.clock.now()
    assert ticket.error.startswith("Expired before it began: it was not to begin after ")
    assert "120 s later" in ticket.error


@pytest.mark.parametrize("work", ["assign_number", "export", "calculate"])
def test_work_whose_turn_comes_in_time_runs(the_shop: Shop, work: str) -> None:
    ask(the_shop, work, not_after=the_shop.clock.now() + HOUR)
    the_shop.clock.advance(HOUR)

    the_shop.run()

    assert the_only(the_shop.engine, SysAsyncTicket).error is None


def test_what_has_expired_is_told_apart_from_what_has_failed(the_shop: Shop) -> None:
    ask(the_shop, not_after=the_shop.clock.now() + HOUR)
    ask(the_shop, "fail")
    the_shop.clock.advance(2 * HOUR)

    the_shop.run()

    assert [type(one) for one in the_shop.seen if isinstance(one, Failed | Expired)] == [Expired, Failed]
    insight = the_shop.app.insight(the_shop.engine)
    assert insight.gauges().expired == 1
    counts = insight.ticket_counts(TicketFilter())
    assert (counts["expired"].number, counts["failed"].number) == (1, 1)
    for state, key in (("expired", "1"), ("failed", "2")):
        assert [one.key for one in insight.tickets(TicketFilter(state=state)).tickets] == [key]  # type: ignore[arg-type]
    assert [one.what for one in insight.ticket("1").timeline][-2:] == ["expired", "receipt goes"]
    assert insight.overview().failed == 1


def test_an_exception_of_that_name_is_a_failure(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Expired(Exception):
        pass

    def fail(self: Customer) -> None:
        raise Expired("before it began: not at all")

    monkeypatch.setattr(Customer.fail, "function", fail)
    ask(the_shop, "fail")
    the_shop.run()

    assert the_shop.app.insight(the_shop.engine).ticket("1").ticket.state == "failed"


def test_one_that_has_expired_holds_up_none_of_its_batch(the_shop: Shop) -> None:
    for late in (True, False, True, False):
        ask(the_shop, not_after=the_shop.clock.now() + HOUR if late else None)
    the_shop.clock.advance(2 * HOUR)

    the_shop.run()

    assert numbers(the_shop.engine) == [None, 1, None, 2]


def test_one_that_is_too_late_since_others_of_its_batch_took_long_is_not_run(the_shop: Shop) -> None:
    @contextmanager
    def takes_an_hour(run: aw.Run) -> Iterator[None]:
        the_shop.clock.advance(HOUR)
        yield

    the_shop.app.around = takes_an_hour
    ask(the_shop)
    ask(the_shop, not_after=the_shop.clock.now() + HOUR / 2)
    ask(the_shop)

    the_shop.run()

    assert numbers(the_shop.engine) == [1, None, 2]
    assert [type(one) for one in the_shop.seen if isinstance(one, Failed | Expired)] == [Expired]


def test_no_attempt_is_promised_that_would_come_too_late(the_shop: Shop) -> None:
    ask(the_shop, "fail_thrice", not_after=the_shop.clock.now() + timedelta(seconds=90))

    the_shop.run()
    assert the_only(the_shop.engine, SysAsyncTicket).done is None

    the_shop.clock.advance(timedelta(minutes=1))
    the_shop.run()
    ticket = the_only(the_shop.engine, SysAsyncTicket)
    assert ticket.attempts == 2
    assert ticket.error.startswith("ValueError: ")


def test_who_retries_it_by_hand_wants_it_all_the_same(the_shop: Shop) -> None:
    ask(the_shop, not_after=the_shop.clock.now() + HOUR)
    the_shop.clock.advance(2 * HOUR)
    the_shop.run()

    acts = the_shop.app.control(the_shop.engine).retry_tickets(TicketFilter(state="expired"))
    the_shop.run()

    assert acts.changed == 1
    assert numbers(the_shop.engine) == [1]


def test_who_joins_a_ticket_gives_it_as_long_as_he_wants(the_shop: Shop) -> None:
    soon, late = the_shop.clock.now() + HOUR, the_shop.clock.now() + 2 * HOUR
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        found = [
            aw.later(ann.assign_number, unique=True, not_after=moment).not_after for moment in (soon, late, soon, None)
        ]

    assert found == [soon, late, late, None]


def test_a_moment_of_any_zone_will_do(the_shop: Shop) -> None:
    moment = datetime(2031, 7, 1, 12, tzinfo=timezone(2 * HOUR))
    ask(the_shop, not_after=moment)

    with the_shop.session() as session:
        assert session.get_one(SysAsyncTicket, 1).not_after == moment.astimezone(UTC)
    steps = the_shop.app.insight(the_shop.engine).ticket("1").timeline
    assert [one.at for one in steps if one.what == "expires"] == [moment]


def test_what_cannot_be_meant_is_refused(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = add_customer(session)
        with pytest.raises(NaiveDatetime):
            aw.later(ann.assign_number, not_after=datetime(2031, 1, 1))
        with pytest.raises(BadRequest, match=r"not_after=.* is no datetime"):
            aw.later(ann.assign_number, not_after=HOUR)  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match="It could never run"):
            aw.later(ann.assign_number, after=2 * HOUR, not_after=datetime.now(UTC) + HOUR)
        session.add(SysAsyncTicket(view_model="Customer.fail", root_object=ann, not_after="soon"))
        with pytest.raises(BadRequest, match="not_after is 'soon', not a datetime"):
            session.flush()


def test_a_table_of_an_earlier_version_takes_tickets_and_gets_the_column_by_install(the_shop: Shop) -> None:
    engine = the_shop.engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sys_async_ticket DROP COLUMN not_after"))

    ask(the_shop)  # an application with newer code than its database still asks for work

    done = the_shop.app.install(engine)
    assert done == ["column sys_async_ticket.not_after added"]
    assert the_shop.app.install(engine) == []
    the_shop.run()
    assert numbers(engine) == [1]


def test_a_class_without_it_serves_and_says_what_is_missing_when_it_is_asked_for(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "tickets"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        ViewModel: Mapped[str | None] = mapped_column(Text)
        RootId: Mapped[str | None] = mapped_column(Text)
        ExecuteEarliest: Mapped[datetime | None]
        KeepReceiptMinutes: Mapped[int] = mapped_column(default=10)
        Done: Mapped[datetime | None]
        DeleteTime: Mapped[datetime | None]
        Error: Mapped[str | None] = mapped_column(Text)

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        done: Mapped[bool] = mapped_column(default=False)

        @aw.method
        def do(self) -> None:
            self.done = True

    world = World(engine, Base)
    with world.session() as session, session.begin():
        thing = Thing()
        session.add(thing)
        aw.later(thing.do)
        with pytest.raises(BadRequest, match=r"no attribute not_after\. Add it, not_after: Mapped\[datetime "):
            aw.later(thing.do, not_after=datetime.now(UTC))
    world.run()

    assert everything(engine, Thing)[0].done
    assert "not_after" not in {one["name"].lower() for one in inspect(engine).get_columns("tickets")}
