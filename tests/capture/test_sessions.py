"""What a writer's session is set to changes nothing in what is written down, and makes no write fail."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, event, text
from sqlalchemy.types import NullType

from tests.capture.conftest import Captured

Start = Callable[..., Captured]

on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

SETTINGS = {
    "datestyle": "German, DMY",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "-10",
    "bytea_output": "escape",
    "timezone": "Asia/Tokyo",
    "search_path": "pg_catalog",
    "standard_conforming_strings": "off",
    "row_security": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "work_mem": "64kB",
    "max_stack_depth": "100kB",
    "plan_cache_mode": "force_custom_plan",
    "client_encoding": "LATIN1",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "plpgsql.extra_errors": "all",
}

KEYS = {
    "timestamp": "2026-02-01 10:00",
    "timestamptz": "2026-02-01 10:00+03",
    "date": "2026-02-01",
    "interval": "1 mon 2 days 03:04:05",
    "double precision": "0.1234567890123",
    "bytea": "\\x00ff",
    "tsrange": "[2026-02-01,2026-03-01)",
    "date[]": "{2026-02-01}",
    "money": "12.5",
    "numeric": "1.50",
    "text": "a\\b€",
}


@on_postgresql
@pytest.mark.parametrize("kind", KEYS)
def test_keys_are_written_as_always(engine: Engine, captured: Start, kind: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE thing (id {kind} PRIMARY KEY, n int)"))
    identity: Column[Any] = Column("id", NullType, primary_key=True)
    found = captured(Table("thing", MetaData(), identity, Column("n", Integer)))
    told = []
    for is_odd in (False, True):
        with engine.begin() as connection:
            connection.execute(text(f"INSERT INTO thing VALUES (CAST(:key AS {kind}), 1)"), {"key": KEYS[kind]})
            if is_odd:
                odd(connection)
            connection.execute(text("UPDATE public.thing SET n = 2"))
            connection.execute(text("DELETE FROM public.thing"))
        told.append(found.told())
    assert told[0] == told[1]
    assert len(told[0]) == 3


@on_postgresql
def test_new_keys_are_told_by_currval_and_returning(engine: Engine, captured: Start) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id serial PRIMARY KEY, n int)"))
    captured(Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer)))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO thing (n) VALUES (1), (1)"))
        assert connection.scalar(text("SELECT currval('thing_id_seq')")) == 2
        assert connection.scalar(text("INSERT INTO thing (n) VALUES (1) RETURNING id")) == 3


def odd(connection: Any) -> None:
    """Let a transaction have all odd settings."""
    for name, value in SETTINGS.items():
        connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})


@on_postgresql
def test_a_role_that_may_only_insert_can_do_so(engine: Engine, captured: Start) -> None:
    found = captured(Table("part", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text)))
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS afterwork_test_robot"))
        connection.execute(text("CREATE ROLE afterwork_test_robot"))
        connection.execute(text("GRANT INSERT ON part TO afterwork_test_robot"))
        connection.execute(text("ALTER TABLE part ENABLE ROW LEVEL SECURITY"))
        connection.execute(text("CREATE POLICY all_in ON part FOR INSERT WITH CHECK (true)"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL ROLE afterwork_test_robot"))
            connection.execute(text("INSERT INTO part VALUES (1, 'a')"))
        assert found.told() == ["I part 1"]
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY afterwork_test_robot"))
            connection.execute(text("DROP ROLE afterwork_test_robot"))


PRAGMAS = ("recursive_triggers = ON", "trusted_schema = OFF", "legacy_alter_table = ON", "foreign_keys = ON")
SHAPES = ("", "WITHOUT ROWID", "STRICT", "STRICT, WITHOUT ROWID")


@pytest.fixture
def set_oddly(engine: Engine) -> Engine:
    def set_pragmas(connection: Any, _: object) -> None:
        for pragma in (*PRAGMAS, "reverse_unordered_selects = ON", "case_sensitive_like = ON"):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", set_pragmas)
    return engine


@on_sqlite
@pytest.mark.parametrize("shape", SHAPES)
def test_pragmas_and_shapes_of_tables_on_sqlite(set_oddly: Engine, captured: Start, shape: str) -> None:
    with set_oddly.begin() as connection:
        connection.execute(text(f"CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER) {shape}"))
    found = captured(
        Table("part", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text), Column("n", Integer))
    )
    assert found.run("INSERT INTO part VALUES (1, 'a', 1), (2, 'b', 1)") == ["I part 1", "I part 2"]
    assert found.run("UPDATE part SET n = 2 WHERE id = 1") == ["U part 1 n"]
    assert found.run("REPLACE INTO part VALUES (3, 'a', 1)") == ["D part 1", "I part 3"]
    assert found.run("DELETE FROM part") == ["D part 2", "D part 3"]


@on_sqlite
@pytest.mark.parametrize("value", [b"\x00\xff", b"a", "a\0b", 5, 1.5, "x" * 1000])
def test_any_value_may_be_in_any_column_of_sqlite(engine: Engine, captured: Start, value: object) -> None:
    found = captured(
        Table("part", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text), Column("n", Integer))
    )
    found.run("INSERT INTO part VALUES (1, 'a', 1)")
    with engine.begin() as connection:
        connection.execute(text("UPDATE part SET name = :value, n = :value"), {"value": value})
        connection.execute(text("DELETE FROM part"))
        kinds = connection.execute(text("SELECT group_concat(kind) FROM afterwork_journal")).scalar()
    assert kinds == "U,D"
