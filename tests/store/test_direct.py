"""A statement that goes straight to the driver gives what SQLAlchemy gives: values, errors, and what listeners see."""

import logging
import uuid
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    Engine,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    any_,
    bindparam,
    event,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.schema import Column
from sqlalchemy.types import TypeDecorator

from afterwork import Settings
from afterwork.derived.tracking.session_hooks import attach
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.dialects import database_of
from afterwork.store.direct_statement import DirectStatement
from tests.support.world import statements


class Backwards(TypeDecorator[str]):
    """A text that is stored from its end to its beginning."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and value[::-1]

    process_result_value = process_bind_param


thing = Table(
    "thing",
    MetaData(),
    Column("name", Backwards(), primary_key=True),
    Column("id", Uuid()),
    Column("price", Numeric(10, 2)),
    Column("made", UtcDateTime()),
    Column("note", String()),
)

ROWS = [
    {
        "name": name,
        "id": uuid.uuid4(),
        "price": Decimal("1.50"),
        "made": datetime(2024, 2, 29, tzinfo=UTC),
        "note": None,
    }
    for name in ("abc", "def")
]

NAMED = DirectStatement(select(thing).where(thing.c.name == bindparam("name"), thing.c.made <= bindparam("made")))


@pytest.fixture
def connection(engine: Engine) -> Any:
    thing.create(engine)
    with engine.connect() as connection:
        connection.execute(thing.insert(), ROWS)
        connection.commit()
        yield connection


def only_on_postgresql(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        pytest.skip("on SQLite, SQLAlchemy executes it")


@pytest.mark.parametrize("watched", [False, True])
def test_values_come_and_go_as_their_columns_types_say(connection: Connection, watched: bool) -> None:
    if watched:
        event.listen(connection, "before_cursor_execute", lambda *_: None)

    (row,) = NAMED.execute(connection, {"name": "abc", "made": ROWS[0]["made"]})

    assert list(row) == list(ROWS[0].values())


def test_so_do_the_values_of_an_array(connection: Connection) -> None:
    only_on_postgresql(connection)
    named = DirectStatement(
        select(thing.c.id).where(thing.c.name == any_(bindparam("names", type_=ARRAY(thing.c.name.type))))
    )

    found = {row[0] for row in named.execute(connection, {"names": ["abc", "def", "ghi"]})}
    assert found == {row["id"] for row in ROWS}


def test_who_listens_to_statements_sees_it(connection: Connection, engine: Engine) -> None:
    with statements(engine) as sent:
        NAMED.execute(connection, {"name": "abc", "made": ROWS[0]["made"]})

    assert len(sent) == 1


def test_what_listens_for_jobs_that_are_tracked_needs_not_see_it(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays at a server's connection after the first job in Python."""
    only_on_postgresql(connection)
    with Session(connection) as session:
        attach(session)
    monkeypatch.delattr(Connection, "execute")

    assert len(NAMED.execute(connection, {"name": "abc", "made": ROWS[0]["made"]})) == 1


def test_it_stays_prepared_whatever_is_read_meanwhile(connection: Connection, engine: Engine) -> None:
    """With a rollback, the driver would forget it, and PostgreSQL would plan it anew each time."""
    only_on_postgresql(connection)
    connection.close()
    database = database_of(engine, Settings())
    with closing(database.connect()) as own:
        NAMED.execute(own, {"name": "abc", "made": ROWS[0]["made"]})
        with database.light_watched_transaction(own, ()), database.reading_part(own):
            pass
        with database.snapshot(own):
            pass

        assert (
            "FROM thing"
            in own.execute(text("SELECT string_agg(statement, ';') FROM pg_prepared_statements")).scalar_one()
        )


def test_who_has_statements_logged_sees_it(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"), connection.engine.connect() as logged:
        NAMED.execute(logged, {"name": "abc", "made": ROWS[0]["made"]})

    assert "FROM thing" in caplog.text


def test_tables_that_the_engine_renames_are_renamed(connection: Connection) -> None:
    only_on_postgresql(connection)
    elsewhere = connection.execution_options(schema_translate_map={None: "nowhere"})

    with pytest.raises(DBAPIError, match="nowhere"):
        NAMED.execute(elsewhere, {"name": "abc", "made": ROWS[0]["made"]})


def test_an_error_of_the_driver_is_raised_as_sqlalchemys(connection: Connection) -> None:
    only_on_postgresql(connection)

    with pytest.raises(DBAPIError, match="division by zero") as raised:
        DirectStatement(text("SELECT 1 / 0")).execute(connection)

    assert not raised.value.connection_invalidated
    assert not connection.invalidated


def test_a_lock_that_others_hold_is_contention_and_no_lost_database(connection: Connection, engine: Engine) -> None:
    only_on_postgresql(connection)
    database = database_of(engine, Settings())
    connection.execute(text("SET lock_timeout = '10ms'"))

    with engine.begin() as other, pytest.raises(OperationalError) as raised:
        other.execute(text("LOCK TABLE thing"))
        NAMED.execute(connection, {"name": "abc", "made": ROWS[0]["made"]})

    assert database.is_contended(raised.value)
    assert not database.is_lost(raised.value)


def test_a_lost_connection_is_known_to_be_lost(connection: Connection, engine: Engine) -> None:
    only_on_postgresql(connection)
    process = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    with engine.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})

    with pytest.raises(OperationalError) as raised:
        NAMED.execute(connection, {"name": "abc", "made": ROWS[0]["made"]})

    assert database_of(engine, Settings()).is_lost(raised.value)
    assert connection.invalidated


def test_a_statement_whose_text_depends_on_its_values_is_left_to_sqlalchemy(connection: Connection) -> None:
    some = DirectStatement(select(thing.c.name).where(thing.c.name.in_(bindparam("names", expanding=True))))

    assert [row[0] for row in some.execute(connection, {"names": ["abc", "xyz"]})] == ["abc"]
    assert len(some.execute(connection, {"names": ["abc", "def"]})) == 2
