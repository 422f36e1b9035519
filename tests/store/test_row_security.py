"""Row-level security may keep rows from the role that serves, each command by policies of its own: `check` tells."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.insight import Finding
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base):
    __tablename__ = "ticket"


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return self.size * 2

    @aw.method
    def look(self) -> None: ...


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        Base.metadata.create_all(made.engine(made.owner))
        yield made


@pytest.fixture
def app(roles: Roles) -> aw.Afterwork:
    app = aw.Afterwork(Base, clock=aw.ManualClock())
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    return app


def told(app: aw.Afterwork, roles: Roles) -> list[Finding]:
    """Return what `check` says of row-level security."""
    return [one for one in app.insight(roles.engine(roles.server)).check() if "row-level security" in one.what]


def works(app: aw.Afterwork, roles: Roles) -> bool:
    """Return whether a value is stored, and a ticket done and deleted."""
    with Session(roles.engine(roles.owner)) as session, session.begin():
        session.add(customer := Customer(size=5))
        aw.later(customer.look)
    clock = app.clock
    assert isinstance(clock, aw.ManualClock)
    for _ in range(2):
        app.run_until_idle(roles.engine(roles.server))
        clock.advance(timedelta(hours=1))
    with Session(roles.engine(roles.owner)) as session:
        tickets = session.scalars(select(SysAsyncTicket)).all()
        return session.scalars(select(Customer.twice)).all() == [10] and not tickets


def on(table: str, *policies: str) -> list[str]:
    """Return the statements that switch it on, with some policies."""
    made = [f"CREATE POLICY p{number} ON {table} {policy}" for number, policy in enumerate(policies)]
    return [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", *made]


SEE = "FOR SELECT TO {server} USING (true)"
POLICIES = {
    "it may only see": on("customer", SEE),
    "it may change some": on("customer", SEE, "FOR UPDATE TO {server} USING (size < 3)"),
    "it may store some values": on("customer", SEE, "FOR UPDATE TO {server} USING (true) WITH CHECK (twice < 3)"),
    "some values are refused": on("customer", "TO {server} USING (true) WITH CHECK (twice < 3)"),
    "all but some": on(
        "customer", "TO {server} USING (true)", "AS RESTRICTIVE FOR UPDATE TO {server} USING (size < 3)"
    ),
    "it may only see tickets": on("ticket", SEE),
    "it may delete no tickets": on("ticket", SEE, "FOR UPDATE TO {server} USING (true)"),
}
ENOUGH = {
    "it may see and change": on("customer", SEE, "FOR UPDATE TO {server} USING (true)"),
    "it may do all": on("customer", "TO {server} USING (true)"),
    "everybody may do all": on("ticket", "USING (true)"),
}


@pytest.mark.parametrize("case", POLICIES)
def test_rows_that_it_may_not_change_are_told(case: str, app: aw.Afterwork, roles: Roles) -> None:
    roles.as_owner(*POLICIES[case])

    (finding,) = told(app, roles)

    assert finding.is_fault
    assert not works(app, roles)
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(finding.advice.partition(" all rows: ")[2].partition(";")[0])
    assert told(app, roles) == []


@pytest.mark.parametrize("case", ENOUGH)
def test_policies_that_are_enough_are_no_fault(case: str, app: aw.Afterwork, roles: Roles) -> None:
    roles.as_owner(*ENOUGH[case])

    assert [one.what for one in told(app, roles) if one.is_fault] == []
    assert works(app, roles)


def test_rows_that_only_a_job_might_change_are_worth_knowing(app: aw.Afterwork, roles: Roles) -> None:
    roles.as_owner(*ENOUGH["it may see and change"])

    (finding,) = told(app, roles)

    assert finding.is_note
    assert finding.what == (f"row-level security keeps role {roles.server} from DELETE, INSERT on rows of app.customer")
