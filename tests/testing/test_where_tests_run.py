"""A test's database is a connection's transaction, or an engine's, in memory or not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine, StaticPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest, NoTestDatabase, TransactionOver
from afterwork.testing import MovableClock, Testing, rolled_back
from tests.support.prepared import begin_with
from tests.testing.depot import Parcel, a_parcel, app, open_depot, tables, under_test


@pytest.fixture(params=["a file", "memory"])
def sqlite(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Engine]:
    if request.param == "memory":
        made = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        made = create_engine(f"sqlite:///{tmp_path}/depot.db", connect_args={"check_same_thread": False})
    open_depot(made)
    yield made
    made.dispose()


def runs_a_job(testing: Testing, session: Session) -> bool:
    parcel = a_parcel(session)
    aw.later(parcel.move)
    session.commit()
    testing.drain(check=True)
    session.refresh(parcel)
    return parcel.moved == 1


def test_sqlite_in_memory_and_in_a_file_is_rolled_back(sqlite: Engine) -> None:
    before = tables(sqlite)
    with under_test(sqlite) as (testing, session):
        assert runs_a_job(testing, session)
    assert tables(sqlite) == before


def test_another_use_of_a_database_in_memory_is_told_to_have_ended_the_transaction() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with under_test(engine) as (testing, session):
        a_parcel(session)
        tables(engine)
        with pytest.raises(TransactionOver, match="has a single connection"):
            testing.drain()
    engine.dispose()


def test_a_recipe_that_leaves_the_beginning_to_the_driver_is_rolled_back(sqlite: Engine) -> None:
    with sqlite.connect() as connection, connection.begin() as transaction:
        with (
            Testing(app, connection).lasting() as testing,
            Session(connection, join_transaction_mode="create_savepoint") as session,
        ):
            assert runs_a_job(testing, session)
        transaction.rollback()
    with Session(sqlite) as session:
        assert session.query(Parcel).all() == []


def test_a_recipe_without_savepoints_serves(engine: Engine) -> None:
    begin_with(engine, open_depot)
    with (
        rolled_back(engine) as connection,
        Testing(app, connection).lasting() as testing,
        Session(connection) as session,
    ):
        assert runs_a_job(testing, session)
    assert tables(engine).get("parcel") is None


def test_a_session_stands_for_its_connection(engine: Engine) -> None:
    begin_with(engine, open_depot)
    with (
        rolled_back(engine) as connection,
        Session(connection, join_transaction_mode="create_savepoint") as session,
        Testing(app, session).lasting() as testing,
    ):
        assert runs_a_job(testing, session)
    assert tables(engine).get("parcel") is None


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_tenant_has_a_schema_of_its_own(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA tenant")
    tenant = engine.execution_options(schema_translate_map={None: "tenant"})
    open_depot(tenant)
    with (
        rolled_back(tenant) as connection,
        Testing(app, connection).lasting() as testing,
        Session(connection, join_transaction_mode="create_savepoint") as session,
    ):
        depot = a_parcel(session, 3).depot
        assert runs_a_job(testing, session)
        session.refresh(depot)
        assert (depot.fee, depot.count) == (6, 1)


def test_the_code_under_test_may_be_in_another_thread(sqlite: Engine) -> None:
    with under_test(sqlite, "inline") as (testing, session):
        parcel = a_parcel(session)

        def ask() -> None:
            with Session(session.bind, join_transaction_mode="create_savepoint") as other:
                aw.later(other.get_one(Parcel, parcel.id).move, after=timedelta(days=1))
                other.commit()

        testing.clock.advance(timedelta(days=5))
        thread = Thread(target=ask)
        thread.start()
        thread.join()

        assert testing.asked(parcel.move, after=timedelta(days=1))
        testing.clock.advance(timedelta(days=1))
        testing.drain(check=True)
        session.refresh(parcel)
        assert parcel.moved == 1


@pytest.mark.parametrize("mode", ["drain", "inline"])
def test_on_an_engine_jobs_commit(engine: Engine, mode: str) -> None:
    begin_with(engine, open_depot)
    with Testing(app, engine, mode).lasting() as testing, Session(engine) as session:  # type: ignore[arg-type]
        assert runs_a_job(testing, session)
    with Session(engine) as session:
        assert session.query(Parcel).one().moved == 1


def test_a_connection_in_no_transaction_is_refused(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(NoTestDatabase, match="in no transaction"):
        Testing(app, connection)


@pytest.mark.parametrize("bind", [None, "sqlite://", create_async_engine("sqlite+aiosqlite://")])
def test_what_no_job_can_run_on_is_refused(bind: object) -> None:
    with pytest.raises(NoTestDatabase, match="afterwork_bind"):
        Testing(app, bind)  # type: ignore[arg-type]


def test_a_mode_that_there_is_not_is_refused(engine: Engine) -> None:
    with rolled_back(engine) as connection, pytest.raises(BadRequest, match="The modes are inline, drain, none"):
        Testing(app, connection, "eager")  # type: ignore[arg-type]


def test_the_clock_goes_on_and_moves_forward_only() -> None:
    clock = MovableClock()
    before = clock.now()
    clock.advance(timedelta(days=1))
    clock.move_to(before + timedelta(days=3))
    assert timedelta(days=3) <= clock.now() - before < timedelta(days=4)
    with pytest.raises(BadRequest, match="put the clock back"):
        clock.move_to(before)


def test_the_clocks_of_the_application_are_as_before_when_the_test_is_over(engine: Engine) -> None:
    clock = app.clock
    with under_test(engine) as (testing, _):
        testing.clock.advance(timedelta(days=3))
        assert aw.SystemClock().now() - datetime.now(UTC) > timedelta(days=2)
        assert app.clock is testing.clock
    assert app.clock is clock
    assert aw.SystemClock().now() - datetime.now(UTC) < timedelta(days=1)


def test_the_connection_is_left_as_it_was(engine: Engine) -> None:
    begin_with(engine, open_depot)
    with rolled_back(engine) as connection:
        before = settings_of(connection)
        with Testing(app, connection).lasting() as testing, Session(connection) as session:
            runs_a_job(testing, session)
        assert settings_of(connection) == before


def settings_of(connection: Connection) -> list[object]:
    """The settings of a connection that a server would have changed."""
    names = ("busy_timeout", "synchronous", "query_only")
    if connection.dialect.name == "sqlite":
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
    changed = (
        "SELECT name, setting FROM pg_settings WHERE source = 'session'"
        " AND name <> 'synchronous_commit'"  # which is about commits, and this one never comes
    )
    return [tuple(row) for row in connection.exec_driver_sql(changed)]
