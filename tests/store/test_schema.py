"""Installing: it says what it did, does nothing twice, and what is not right is told with what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NotInstalled, OutdatedTables, UnsupportedDatabase, WrongSchema
from afterwork.insight import TicketFilter
from afterwork.store.bounded_count import Count
from afterwork.store.tables import SCHEMA_VERSION
from afterwork.store.tickets.filter import STATES
from tests.conftest import Shop
from tests.migrations.releases import release
from tests.support import shop
from tests.support.shop import Base, SysAsyncTicket, add_customer, numbers


@pytest.fixture
def app() -> aw.Afterwork:
    return aw.Afterwork(Base)


def test_installing_says_what_it_did_and_does_nothing_twice(engine: Engine, app: aw.Afterwork) -> None:
    shop.create(engine)

    done = app.install(engine)

    assert {"table afterwork_lease created", "index afterwork_sys_async_ticket_place created"} < set(done)
    assert f"schema version {SCHEMA_VERSION} set" in done
    if engine.dialect.name == "sqlite":
        assert "journal mode of the file set to WAL" in done
    else:
        assert "trigger afterwork_wake on sys_async_ticket created" in done
    assert app.install(engine) == []
    assert app.install(engine) == []


def test_installing_waits_for_who_writes_into_a_file_without_a_log(tmp_path: Path, app: aw.Afterwork) -> None:
    """SQLite refuses at once there, since it could not set the log's mode."""
    engine, writer = (create_engine(f"sqlite:///{tmp_path / 'shop.db'}") for _ in range(2))
    shop.create(engine)
    with writer.connect() as writing:
        writing.execute(text("INSERT INTO number_series VALUES ('written', 1)"))
        attempts: list[str] = []

        def end_the_write_at_the_second(statement: str) -> None:
            if "journal_mode = WAL" in statement:
                attempts.append(statement)
                if len(attempts) == 2:
                    writing.commit()

        event.listen(engine, "connect", lambda driver, _: driver.set_trace_callback(end_the_write_at_the_second))
        done = app.install(engine)

    assert len(attempts) == 2
    assert "journal mode of the file set to WAL" in done


def test_installing_keeps_what_is_there(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number)

    the_shop.app.install(the_shop.engine)
    the_shop.run()

    assert numbers(the_shop.engine) == [1]


def test_without_the_applications_own_tables_nothing_is_installed(engine: Engine, app: aw.Afterwork) -> None:
    with pytest.raises(NoSuchTableError, match=r"has no table sys_async_ticket. Create the application's own tables"):
        app.install(engine)

    assert inspect(engine).get_table_names() == []


STARTS: dict[str, Callable[[aw.Afterwork, Engine], object]] = {
    "run_until_idle": lambda app, engine: app.run_until_idle(engine),
    "serving": lambda app, engine: app.serving(engine).__enter__(),
    "serve": lambda app, engine: app.serve(engine),
    "status": lambda app, engine: app.insight(engine).status(),
    "retry": lambda app, engine: app.control(engine).retry("1"),
    "pause": lambda app, engine: app.control(engine).pause("main"),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_database_that_was_not_installed_is_refused_with_what_to_do(
    engine: Engine, app: aw.Afterwork, start: str
) -> None:
    shop.create(engine)
    with pytest.raises(NotInstalled, match=r"has no tables of Afterwork\. Create them once with app\.install"):
        STARTS[start](app, engine)


QUESTIONS: dict[str, Callable[[aw.Afterwork, Any], object]] = {
    "fresh": lambda app, customer: aw.fresh(customer, "total"),
    "is_stale": lambda app, customer: aw.is_stale(customer, "total"),
    "explain": lambda app, customer: app.explain(customer, "total"),
    "impact": lambda app, customer: app.impact(customer, "name"),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("is_gone", [False, True], ids=["before it is installed", "after it is removed"])
def test_what_asks_of_values_says_that_nothing_is_installed(engine: Engine, question: str, is_gone: bool) -> None:
    only = release()
    only.base.metadata.create_all(engine)
    app = aw.Afterwork(only.base)
    if is_gone:
        app.install(engine)
        app.uninstall(engine)
    with Session(engine) as session:
        session.add(customer := only.customer(name="Ann"))
        session.flush()
        with pytest.raises(NotInstalled, match=r"has no tables of Afterwork\. Create them once with app\.install"):
            QUESTIONS[question](app, customer)
        session.rollback()
        assert session.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("start", ["run_until_idle", "serving", "status", "pause"])
def test_an_older_schema_is_refused_until_it_is_updated(the_shop: Shop, start: str) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(text("UPDATE afterwork_installation SET value = '0' WHERE name = 'schema_version'"))
    with pytest.raises(
        WrongSchema, match=rf"has version 0 of Afterwork's tables, this program needs {SCHEMA_VERSION}\. Update it with"
    ):
        STARTS[start](the_shop.app, the_shop.engine)

    assert the_shop.app.install(the_shop.engine) == [f"schema version {SCHEMA_VERSION} set"]
    the_shop.run()


def test_a_newer_schema_is_refused_and_left_alone(the_shop: Shop) -> None:
    newer = str(SCHEMA_VERSION + 1)
    with the_shop.engine.begin() as connection:
        newest = text("UPDATE afterwork_installation SET value = :newer WHERE name = 'schema_version'")
        connection.execute(newest, {"newer": newer})
    for start in (the_shop.app.install, the_shop.app.run_until_idle):
        with pytest.raises(WrongSchema, match=rf"has version {newer} .* needs {SCHEMA_VERSION}\. Upgrade the package"):
            start(the_shop.engine)
    with the_shop.engine.connect() as connection:
        found = connection.execute(
            text("SELECT value FROM afterwork_installation WHERE name = 'schema_version'")
        ).scalar()
    assert found == newer


def test_tables_under_former_names_are_refused_and_left_alone(engine: Engine, app: aw.Afterwork) -> None:
    shop.create(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE afterwork_about (name varchar(40) PRIMARY KEY, value text)"))
    for start in (app.install, app.run_until_idle):
        with pytest.raises(OutdatedTables, match=r"such as afterwork_about, .* Drop all tables, triggers and"):
            start(engine)
    assert [name for name in inspect(engine).get_table_names() if name.startswith("afterwork")] == ["afterwork_about"]


def test_the_message_hides_the_password(engine: Engine, app: aw.Afterwork) -> None:
    shop.create(engine)
    with pytest.raises(NotInstalled) as caught:
        app.run_until_idle(engine)

    assert not engine.url.password or engine.url.password not in str(caught.value)


def test_check_finds_indexes_that_are_missing_and_installing_brings_them_back(the_shop: Shop) -> None:
    app, engine = the_shop.app, the_shop.engine
    assert not [finding.what for finding in app.insight(engine).check() if finding.is_fault]
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX afterwork_sys_async_ticket_place"))
        connection.execute(text("DROP INDEX afterwork_sys_async_ticket_ended"))

    (fault,) = [finding for finding in app.insight(engine).check() if finding.is_fault]

    assert fault.what == "indexes on sys_async_ticket"
    assert "afterwork_sys_async_ticket_ended" in fault.advice
    assert "afterwork_sys_async_ticket_place" in fault.advice
    assert sorted(app.install(engine)) == [
        "index afterwork_sys_async_ticket_ended created",
        "index afterwork_sys_async_ticket_place created",
    ]
    assert not [finding for finding in app.insight(engine).check() if finding.is_fault]


def test_check_finds_a_trigger_that_is_missing_or_switched_off(the_shop: Shop) -> None:
    if the_shop.engine.dialect.name == "sqlite":
        assert not [finding for finding in the_shop.app.insight(the_shop.engine).check() if "trigger" in finding.what]
        return
    for damage in (
        "ALTER TABLE sys_async_ticket DISABLE TRIGGER afterwork_wake",
        "DROP TRIGGER afterwork_wake ON sys_async_ticket",
    ):
        with the_shop.engine.begin() as connection:
            connection.execute(text(damage))
        (fault,) = [finding for finding in the_shop.app.insight(the_shop.engine).check() if finding.is_fault]
        assert fault.what == "trigger that wakes servers"
        assert the_shop.app.install(the_shop.engine) == ["trigger afterwork_wake on sys_async_ticket created"]


def test_check_tells_a_database_that_was_not_installed_and_one_that_is_empty(engine: Engine, app: aw.Afterwork) -> None:
    (empty,) = [finding for finding in app.insight(engine).check() if finding.is_fault]
    assert empty.advice == "Create the application's own tables first."

    shop.create(engine)
    faults = {finding.what for finding in app.insight(engine).check() if finding.is_fault}
    assert {"Afterwork's tables, version none", "indexes on sys_async_ticket"} <= faults


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(UnsupportedDatabase, match=r"runs on sqlite:/// and postgresql\+psycopg://, not on mysql\+"):
        aw.Afterwork(Base).run_until_idle(_fake("mysql", "pymysql"))


def _fake(name: str, driver: str) -> Engine:
    engine = create_engine("sqlite://")
    engine.dialect.name, engine.dialect.driver = name, driver
    return engine


def test_a_database_in_memory_serves_too() -> None:
    engine = create_engine("sqlite://")
    shop.create(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    with Session(engine) as session, session.begin():
        aw.later(add_customer(session).assign_number)
        session.add(SysAsyncTicket(view_model="Customer.export", root_id="Customer!1"))

    app.run_until_idle(engine)

    assert numbers(engine) == [1]
    engine.dispose()


def test_a_status_counts_what_waits(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.assign_number)
        aw.later(ann.send_mail)
        aw.later(ann.send_mail)
    the_shop.app.control(the_shop.engine).pause("mail")

    status = the_shop.app.insight(the_shop.engine).status()

    assert status.waiting == {"mail": Count(2), "main": Count(1)}
    assert (status.running, status.servers, status.paused) == (0, [], ["mail"])
    assert status.oldest is not None


def test_tickets_are_listed_by_state(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session)
        aw.later(ann.assign_number)
        aw.later(ann.fail)
    the_shop.run()
    with the_shop.session() as session, session.begin():
        aw.later(session.get_one(shop.Customer, 1).send_mail)
    insight = the_shop.app.insight(the_shop.engine)

    assert [(ticket.key, ticket.state) for ticket in insight.tickets().tickets] == [
        ("3", "waiting"),
        ("2", "failed"),
        ("1", "done"),
    ]
    for state in STATES:
        found = insight.tickets(TicketFilter(state)).tickets
        assert {ticket.state for ticket in found} <= {state}
    assert len(insight.tickets(limit=2).tickets) == 2


def test_a_column_that_an_older_version_had_not_is_added(the_shop: Shop) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(text("ALTER TABLE afterwork_derivation DROP COLUMN code_changes"))
        connection.execute(text("UPDATE afterwork_installation SET value = '3' WHERE name = 'schema_version'"))

    assert the_shop.app.install(the_shop.engine) == [
        "column afterwork_derivation.code_changes added",
        f"schema version {SCHEMA_VERSION} set",
    ]
    assert the_shop.app.install(the_shop.engine) == []
