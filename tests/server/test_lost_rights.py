"""A server whose role loses a right says which, goes on with all else, and with all once it is granted again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import Broken, DatabaseLost, Event, Failed, LacksRight
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in
from tests.support.waiting import eventually


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base):
    __tablename__ = "ticket"


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    seen: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return self.size * 2

    @aw.method
    def see(self) -> None:
        self.seen += 1


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        Base.metadata.create_all(made.engine(made.owner))
        yield made


def write(roles: Roles, size: int) -> None:
    with Session(roles.engine(roles.owner)) as session, session.begin():
        customer = session.merge(Customer(id=1, size=size))
        session.flush()
        aw.later(customer.see)


def stored(roles: Roles) -> tuple[int, int | None]:
    """Return how often the customer was seen, by tickets, and the derived value."""
    with roles.engine(roles.owner).connect() as connection:
        seen, twice = connection.execute(text("SELECT seen, twice FROM customer")).one()
        return seen, twice


LOST = {
    "SELECT ON afterwork_journal": True,
    "DELETE ON afterwork_journal": True,
    "SELECT ON ticket": False,
    "UPDATE ON ticket": False,
}
"""The rights, each with whether tickets are done without it; derived values are made without the others."""


@pytest.mark.parametrize("right", LOST)
def test_a_lost_right_is_told_and_stops_only_what_needs_it(right: str, roles: Roles) -> None:
    seen: list[Event] = []
    app = aw.Afterwork(Base, on_event=seen.append)
    app.install(roles.engine(roles.owner), grant_to=[roles.server])
    write(roles, 5)
    with app.serving(roles.engine(roles.server)):
        eventually(lambda: stored(roles) == (1, 10))
        roles.as_owner(f"REVOKE {right} FROM {{server}}")
        write(roles, 6)
        told = right.rpartition(" ")[2]

        eventually(lambda: any(isinstance(one, LacksRight) and told in one.error for one in seen))
        eventually(lambda: stored(roles)[0] == 2 if LOST[right] else stored(roles)[1] == 12)

        assert not [one for one in seen if isinstance(one, Broken | DatabaseLost | Failed)]
        roles.as_owner(f"GRANT {right} TO {{server}}")
        eventually(lambda: stored(roles) == (2, 12))
