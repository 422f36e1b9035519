"""A view reads as its owner, or as who reads it: `check` tells of rows that are hidden from that role."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.postgres import Server
from tests.support.roles import Roles, roles_in


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int | None] = mapped_column()

    @aw.derived(balance)
    def compute_balance(self) -> int:
        aw.depends_on(Move)
        with aw.untracked():
            return sum(aw.session(self).scalars(select(ShownMove.amount).where(ShownMove.account_id == self.id)))


class Move(Base):
    __tablename__ = "move"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    amount: Mapped[int]


class ShownMove(Base):
    __tablename__ = "shown_move"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    amount: Mapped[int]


app = aw.Afterwork(Base)

LARGE = "USING (amount > 5)"


@pytest.fixture
def roles(postgres_server: Server) -> Iterator[Roles]:
    """A database in which `writer` owns a view upon a view of the moves."""
    with postgres_server.fresh_database() as url, roles_in(url) as made:
        tables = [SysAsyncTicket.__table__, Account.__table__, Move.__table__]
        Base.metadata.create_all(made.engine(made.owner), tables)  # type: ignore[arg-type]
        made.as_owner("GRANT USAGE, CREATE ON SCHEMA app TO {writer}", "GRANT SELECT ON move TO {writer}")
        with made.engine(made.writer).begin() as connection:
            connection.exec_driver_sql("CREATE VIEW inner_move AS SELECT * FROM move")
            connection.exec_driver_sql("CREATE VIEW shown_move AS SELECT * FROM inner_move")
            connection.exec_driver_sql(f"GRANT ALL ON inner_move, shown_move TO {made.owner} WITH GRANT OPTION")
        app.install(made.engine(made.owner), grant_to=[made.server])
        made.as_owner("INSERT INTO account VALUES (1)", "INSERT INTO move VALUES (1, 1, 5), (2, 1, 6)")
        yield made


def told(roles: Roles) -> list[str]:
    found = app.insight(roles.engine(roles.server)).check()
    return [f"{one.what}: {one.advice}" for one in found if one.is_fault and "row-level security" in one.what]


def balance(roles: Roles) -> int | None:
    with roles.admin.connect() as connection:
        return connection.execute(text("SELECT balance FROM app.account")).scalar()


def test_rows_that_are_hidden_from_the_owner_of_a_view_are_told(roles: Roles) -> None:
    all_rows = "CREATE POLICY a ON move TO {server} USING (true)"
    roles.as_owner("ALTER TABLE move ENABLE ROW LEVEL SECURITY", all_rows)
    roles.as_owner("CREATE POLICY b ON move TO {writer} " + LARGE)

    (fault,) = told(roles)

    assert fault.startswith(
        f"row-level security hides rows of app.move from role {roles.writer}, as which view app.inner_move reads: "
    )
    app.run_until_idle(roles.engine(roles.server))
    assert balance(roles) == 6
    with roles.admin.connect() as connection:
        connection.exec_driver_sql(fault.partition(" all rows: ")[2].partition(";")[0])
    assert told(roles) == []


def test_a_view_that_reads_as_who_reads_it_hides_from_that_role_alone(roles: Roles) -> None:
    with roles.engine(roles.writer).begin() as connection:
        connection.exec_driver_sql("ALTER VIEW inner_move SET (security_invoker = on)")
        connection.exec_driver_sql("ALTER VIEW shown_move SET (security_invoker = on)")
        connection.exec_driver_sql(f"GRANT SELECT ON inner_move TO {roles.server}")
    roles.as_owner("ALTER TABLE move ENABLE ROW LEVEL SECURITY", "CREATE POLICY a ON move TO {server} USING (true)")
    assert told(roles) == []
    roles.as_owner("DROP POLICY a ON move", "CREATE POLICY a ON move TO {server} " + LARGE)

    (fault,) = told(roles)

    assert fault.startswith(f"row-level security hides rows of app.move from role {roles.server}: ")
