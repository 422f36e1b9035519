"""Rights that `check` and `install` look at more closely: of single columns, and of the schemas of types."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ARRAY, Enum, String, select
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in

LEVEL = Enum("low", "high", name="level", schema="kinds")


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    code: Mapped[str | None] = mapped_column(DOMAIN("code", String(8), schema="kinds"))
    levels: Mapped[list[str] | None] = mapped_column(ARRAY(LEVEL))
    level: Mapped[str | None] = mapped_column(LEVEL)

    @aw.derived(level)
    def compute_level(self) -> str:
        return "high" if self.size > 10 else "low"

    @aw.method
    def shrink(self) -> None:
        self.size = 1


app = aw.Afterwork(Base)


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        with made.admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA kinds AUTHORIZATION {made.owner}")
        Base.metadata.create_all(made.engine(made.owner))
        yield made


def faults(roles: Roles) -> list[str]:
    found = app.insight(roles.engine(roles.server)).check()
    return [f"{one.what}: {one.advice}" for one in found if one.topic == "rights" and one.is_fault]


def level_of_a_new_customer(roles: Roles) -> str | None:
    with Session(roles.engine(roles.owner)) as session, session.begin():
        session.add(customer := Customer(size=50))
        session.flush()
        aw.later(customer.shrink)
    app.run_until_idle(roles.engine(roles.server))
    with Session(roles.engine(roles.owner)) as session:
        return session.scalars(select(Customer.level)).one()


def test_the_schemas_of_types_must_be_usable(roles: Roles) -> None:
    done = app.install(roles.engine(roles.owner), grant_to=[roles.server])
    assert f"USAGE on schema kinds granted to {roles.server}" in done
    assert (faults(roles), level_of_a_new_customer(roles)) == ([], "low")

    roles.as_owner("REVOKE USAGE ON SCHEMA kinds FROM {server}")

    (fault,) = faults(roles)
    assert fault.startswith(f"role {roles.server} lacks USAGE on schema kinds: Run: GRANT USAGE ON SCHEMA kinds TO ")


def test_rights_on_all_mapped_columns_are_as_good_as_on_the_table(roles: Roles) -> None:
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    roles.as_owner(
        "ALTER TABLE customer ADD secret text",
        "REVOKE ALL ON customer FROM {server}",
        "GRANT SELECT (id, size, code, levels, level), UPDATE (id, size, code, levels, level) ON customer TO {server}",
    )
    assert (faults(roles), level_of_a_new_customer(roles)) == ([], "low")

    roles.as_owner("REVOKE SELECT (size) ON customer FROM {server}")

    (fault,) = faults(roles)
    assert fault.startswith(f"role {roles.server} lacks SELECT on table app.customer: Run: GRANT SELECT ON TABLE")
