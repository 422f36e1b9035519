"""Whatever is saved, rolled back, failed, retried, paused and waited for: each committed ticket ends once, and the
numbers are 1…N."""

from collections import Counter
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

import afterwork as aw
from afterwork.insight import TicketFilter
from tests.conftest import Shop
from tests.support.shop import Customer, NumberSeries, SysAsyncTicket, VipCustomer

WORKS = ("assign_number", "send_mail", "calculate", "export", "fail", "fail_thrice")
KEEP = timedelta(days=365)

works = st.lists(st.sampled_from(WORKS), max_size=4)


class Machine(RuleBasedStateMachine):
    """A shop in which anything may happen in any order. `committed` counts the tickets that exist."""

    def __init__(self, the_shop: Shop) -> None:
        super().__init__()
        self.shop = the_shop
        self.committed = self.last_key = 0
        self.shop.seen.clear()

    @initialize(batch=st.sampled_from([1, 2, 100]))
    def begin(self, batch: int) -> None:
        with self.shop.session() as session, session.begin():
            session.execute(delete(SysAsyncTicket))
            session.execute(delete(Customer))
            session.execute(update(NumberSeries).values(last=0))
        self.shop.app.settings = aw.Settings(batch=batch)

    @rule(
        works=works, vip=st.booleans(), commits=st.booleans(), hours=st.none() | st.integers(-1, 2), flush=st.booleans()
    )
    def save(self, works: list[str], vip: bool, commits: bool, hours: int | None, flush: bool) -> None:
        with self.shop.session() as session:
            # SQLite would give the key of a lost customer to the next one, and with it the tickets.
            self.last_key += 1
            customer = (VipCustomer if vip else Customer)(id=self.last_key, name="Ann")
            session.add(customer)
            for work in works:
                after = None if hours is None else timedelta(hours=hours)
                aw.later(getattr(customer, work), after=after, keep=KEEP)
            if flush:
                session.flush()
            if commits:
                session.commit()
                self.committed += len(works)
            else:
                session.rollback()

    @rule(work=st.sampled_from(WORKS), priority=st.none() | st.integers(1, 3), unique=st.booleans())
    def ask_again(self, work: str, priority: int | None, unique: bool) -> None:
        with self.shop.session() as session, session.begin():
            before = set(session.scalars(select(SysAsyncTicket.id)))
            asked = [
                aw.later(getattr(customer, work), priority=priority, unique=unique, keep=KEEP)
                for customer in session.scalars(select(Customer).order_by(Customer.id).limit(2))
            ]
            session.flush()
            self.committed += len({ticket.id for ticket in asked} - before)

    @rule()
    def lose_a_customer(self) -> None:
        with self.shop.session() as session, session.begin():
            customer = session.scalars(select(Customer).where(Customer.number.is_(None)).limit(1)).first()
            if customer is not None:
                session.delete(customer)

    @rule(lane=st.sampled_from(["main", "mail", "parallel"]), paused=st.booleans())
    def pause(self, lane: str, paused: bool) -> None:
        control = self.shop.app.control(self.shop.engine)
        (control.pause if paused else control.resume)(lane)

    @rule()
    def retry_by_hand(self) -> None:
        for ticket in self.shop.app.insight(self.shop.engine).tickets(TicketFilter("failed"), limit=1).tickets:
            self.shop.app.control(self.shop.engine).retry(ticket.key)

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.shop.clock.advance(timedelta(minutes=minutes))

    @rule()
    def run(self) -> None:
        self.shop.run()

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        with self.shop.session() as session:
            tickets = list(session.scalars(select(SysAsyncTicket)))
            customers = list(session.scalars(select(Customer)))
            last = session.get_one(NumberSeries, "customer").last
        assert len(tickets) == self.committed
        assert sorted(customer.number for customer in customers if customer.number) == list(range(1, last + 1))
        well = Counter((ticket.root_id, ticket.view_model) for ticket in tickets if ticket.done and not ticket.error)
        for customer in customers:
            name = aw.external_id(customer)
            assert well[name, "Customer.assign_number"] == (customer.number is not None)
            assert well[name, "Customer.send_mail"] == customer.notes.count("mailed")
            assert well[name, "Customer.calculate"] == customer.notes.count("calculated")
            assert well[name, "Customer.export"] == customer.notes.count("exported")
            assert "never saved" not in customer.notes
        assert not any("fail" in (work or "") for _, work in well)

    def teardown(self) -> None:
        for lane in ("main", "mail", "parallel"):
            self.shop.app.control(self.shop.engine).resume(lane)
        for _ in range(4):
            self.shop.run()
            self.shop.clock.advance(timedelta(hours=1))
        with self.shop.session() as session:
            tickets = list(session.scalars(select(SysAsyncTicket)))
        assert all(ticket.done for ticket in tickets)
        self.nothing_is_lost_or_doubled()
        assert self.shop.run() == []


def test_any_sequence_ends_every_ticket_once_and_numbers_without_a_gap(the_shop: Shop) -> None:
    run_state_machine_as_test(
        lambda: Machine(the_shop),  # type: ignore[arg-type]
        settings=settings(
            max_examples=10,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        ),
    )
