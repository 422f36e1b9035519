"""Triggers run as the role that has installed. What keeps that role from something, `check` tells every other one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    spent: Mapped[int | None] = mapped_column()
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")

    sum_of_orders = aw.derived(spent, at="commit")(aw.ocl("self.orders.amount->sum"))


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    amount: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="orders")


app = aw.Afterwork(Base)


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        Base.metadata.create_all(made.engine(made.owner))
        app.install(made.engine(made.owner), grant_to=[made.server])
        with Session(made.engine(made.owner)) as session, session.begin():
            session.add(Customer(id=1, orders=[Order(amount=3), Order(amount=4)]))
        yield made


def faults(roles: Roles) -> list[str]:
    """Return what `check`, run as the role that serves, finds wrong about rights, each with what it advises."""
    found = app.insight(roles.engine(roles.server)).check()
    return [f"{one.what}: {one.advice}" for one in found if one.topic == "rights" and one.is_fault]


def spent(roles: Roles) -> int:
    with roles.engine(roles.owner).connect() as connection:
        return int(connection.execute(text("SELECT spent FROM customer")).scalar_one())


def forced(table: str, *policies: str) -> list[str]:
    """Return the statements that keep rows of a table from its owner, too, with some policies."""
    made = [f"CREATE POLICY p{number} ON {table} {policy}" for number, policy in enumerate(policies)]
    return [f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY", *made]


def change_an_order(roles: Roles) -> None:
    with roles.admin.connect() as connection:
        connection.exec_driver_sql("UPDATE app.orders SET amount = 5 WHERE amount = 3")


def test_a_value_at_commit_is_never_computed_without_rows_that_are_hidden_from_the_triggers(roles: Roles) -> None:
    everybody = "TO {server} USING (true)"
    roles.as_owner(*forced("orders", everybody, f"TO {roles.owner} USING (amount < 4)"))

    change_an_order(roles)

    assert spent(roles) == 7
    app.run_until_idle(roles.engine(roles.server))
    assert spent(roles) == 9
    (fault,) = faults(roles)
    assert fault.startswith(
        f"row-level security hides rows of app.orders from role {roles.owner}, as which triggers run: "
        "So servers compute what should be computed at commit, a little later. Let it see all rows: "
    )
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(fault.partition(" all rows: ")[2].partition(";")[0])
        connection.exec_driver_sql("UPDATE app.orders SET amount = 6 WHERE amount = 4")
    assert (spent(roles), faults(roles)) == (11, [])


def test_a_value_at_commit_that_triggers_may_not_write_is_left_to_servers(roles: Roles) -> None:
    roles.as_owner(f"REVOKE UPDATE ON customer FROM {roles.owner}")

    change_an_order(roles)

    assert spent(roles) == 7
    (fault,) = faults(roles)
    assert fault == (
        f"triggers run as role {roles.owner}, which lacks UPDATE (spent) on table app.customer: So servers "
        "compute what should be computed at commit, a little later. "
        f"Run: GRANT UPDATE (spent) ON TABLE app.customer TO {roles.owner}"
    )
    app.run_until_idle(roles.engine(roles.server))
    assert spent(roles) == 9


FAILING = {
    "they may not write": ["REVOKE INSERT ON afterwork_commit_touch FROM {owner}"],
    "they may not use the schema": ["REVOKE USAGE ON SCHEMA app FROM {owner}"],
    "rows are hidden from them": forced("afterwork_commit_touch", "TO {server} USING (true)"),
}


@pytest.mark.parametrize("case", FAILING)
def test_what_makes_everybodys_writes_fail_is_told(case: str, roles: Roles) -> None:
    roles.as_owner(*(statement.replace("{owner}", roles.owner) for statement in FAILING[case]))

    with pytest.raises(Exception, match=r"permission denied|row-level security"):
        change_an_order(roles)
    told = [fault for fault in faults(roles) if "All who write to the application's tables fail." in fault]

    assert told
    with roles.admin.connect() as connection:
        for fault in told:
            advised = fault.partition("Run: ")[2] or fault.partition(" all rows: ")[2].partition(";")[0]
            connection.exec_driver_sql(advised)
    change_an_order(roles)
    assert (spent(roles), faults(roles)) == (9, [])
