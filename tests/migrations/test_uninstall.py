"""Uninstalling takes everything away that installing brought, and nothing else."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import StillNeeded, StillServed
from tests.conftest import Trade
from tests.migrations.environment import names_like_afterwork
from tests.migrations.releases import Release, check_all_is_right, release, write
from tests.support import trade
from tests.support.command_line import run, told


def within(app: aw.Afterwork, engine: Engine) -> None:
    with engine.begin() as connection:
        app.uninstall(connection)


WAYS: dict[str, Callable[[aw.Afterwork, Engine], object]] = {
    "by an engine": lambda app, engine: app.uninstall(engine),
    "by a connection": within,
    "with another model": lambda app, engine: release(has_payments=True, is_traced=True).app.uninstall(engine),
}


def schema_of(engine: Engine) -> dict[str, set[str]]:
    """Return the tables of a database with their indexes."""
    inspector = inspect(engine)
    indexes = inspector.get_multi_indexes()
    return {table: {str(index["name"]) for index in indexes[None, table]} for table in inspector.get_table_names()}


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left_and_whoever_writes_notices_nothing(engine: Engine, way: str) -> None:
    only = release()
    only.base.metadata.create_all(engine)
    with engine.begin() as connection:  # which only looks like Afterwork's
        connection.execute(text("CREATE TABLE afterwork_hours (id int PRIMARY KEY, hours int)"))
        connection.execute(text("CREATE INDEX afterwork_hours_of_all ON afterwork_hours (hours)"))
    before = schema_of(engine)
    only.app.install(engine)
    write(only, engine)
    check_all_is_right(only, engine)

    WAYS[way](only.app, engine)
    assert schema_of(engine) == before
    assert {name.removeprefix("afterwork_hours") for name in names_like_afterwork(engine)} <= {"", "_pkey", "_of_all"}
    write(only, engine)
    assert only.app.uninstall(engine) == []

    only.app.install(engine)
    check_all_is_right(only, engine)


def test_a_database_that_is_served_is_refused_unless_it_is_forced(the_trade: Trade) -> None:
    refused = pytest.raises(StillServed, match=r"is served by 1 servers: .* Stop them first")
    with the_trade.app.serving(the_trade.engine), refused:
        the_trade.app.uninstall(the_trade.engine)
    assert names_like_afterwork(the_trade.engine) != []

    the_trade.app.uninstall(the_trade.engine)
    assert names_like_afterwork(the_trade.engine) == []


class Other(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Other):
    __tablename__ = "other_ticket"


class Thing(Other):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    double: Mapped[int | None] = mapped_column()

    @aw.derived(double)
    def compute_double(self) -> int:
        return self.id * 2


def test_a_database_that_others_use_is_refused_unless_it_is_forced(the_trade: Trade) -> None:
    engine, other = the_trade.engine, aw.Afterwork(Other)
    Other.metadata.create_all(engine)
    other.install(engine)
    for app, name in ((the_trade.app, "other_ticket"), (other, "sys_async_ticket")):
        with pytest.raises(StillNeeded, match=f"with the ticket tables {name}"):
            app.uninstall(engine)

    the_trade.app.uninstall(engine, force=True)
    assert names_like_afterwork(engine) == []


def test_uninstalling_on_the_command_line(the_trade: Trade) -> None:
    where = "tests.migrations.test_uninstall:app", "--database", the_trade.engine.url.render_as_string(False)
    done = told(run("uninstall", *where))

    assert "table afterwork_journal dropped" in done
    assert "index afterwork_sys_async_ticket_place dropped" in done
    assert told(run("uninstall", *where)) == "There is nothing of Afterwork here.\n"


app = aw.Afterwork(trade.Base)


def test_installing_on_a_connection_is_undone_with_its_transaction(engine: Engine) -> None:
    """It sees tables that are not committed yet, and a table with rows is backfilled as always."""
    only: Release = release()
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN" if engine.dialect.name == "sqlite" else "SELECT 1")
        only.base.metadata.create_all(connection)
        assert "table afterwork_journal created" in only.app.install(connection)
        connection.rollback()
    assert inspect(engine).get_table_names() == []

    with Session(engine) as session, session.begin():
        only.base.metadata.create_all(session.connection())
        only.app.install(session.connection())
        session.add(only.customer(name="first", order_rows=[only.order(amount=3)]))
        session.flush()
        assert only.app.install(session.connection()) == []
    assert set(only.app.install(engine)) <= {"journal mode of the file set to WAL"}
    with Session(engine) as session, session.begin():
        aw.later(session.get_one(only.customer, 1).rename)
    check_all_is_right(only, engine)
