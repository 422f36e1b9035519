"""Between a migration and the next installation, nobody's write fails, and everything that it changes is seen."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, ForeignKey, Integer, MetaData, Table, text
from sqlalchemy.types import NullType

from tests.capture.conftest import Captured, own_tables
from tests.capture.continuity_scene import opened
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.prepared import begin_with

Start = Callable[..., Captured]

PREPARED = (
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE TYPE price AS (amount numeric, unit text)",
    "CREATE DOMAIN rate AS numeric",
    "CREATE DOMAIN better_rate AS rate",
    "CREATE DOMAIN word AS text",
    "CREATE DOMAIN amount AS int",
)

ONE, TWO, THREE = (f"{n}f2504e0-4f89-11d3-9a0c-0305e82c3301" for n in (1, 2, 3))

# Types of all forms, each with three values.
VALUES: dict[str, tuple[str, str, str]] = {
    "integer": ("1", "2", "3"),
    "bigint": ("1", "2", "3"),
    "boolean": ("true", "false", "true"),
    "text": ("a", "b", "c"),
    "varchar(9)": ("a", "b", "c"),
    "char(3)": ("a", "b", "c"),
    "uuid": (ONE, TWO, THREE),
    "date": ("2026-01-01", "infinity", "2026-01-03"),
    "timestamp": ("2026-01-01 10:00", "2026-01-02", "2026-01-03"),
    "timestamptz": ("2026-01-01 10:00+00", "2026-01-02 10:00+00", "2026-01-03 10:00+00"),
    "time": ("10:00", "11:00", "12:00"),
    "numeric": ("1.5", "1.50", "2"),
    "bytea": (r"\x61", r"\x62", r"\x63"),
    "json": ('{"n": 1}', '{"n": 2}', '{"n": 3}'),
    "jsonb": ('{"n": 1}', '{"n": 2}', '{"n": 3}'),
    "double precision": ("0", "-0", "1"),
    "interval": ("1 mon", "30 days", "1 day"),
    "point": ("(1,2)", "(3,4)", "(5,6)"),
    "integer[]": ("{1}", "{2}", "{3}"),
    "xid": ("1", "2", "3"),
    "mood": ("sad", "glad", "sad"),
    "price": ("(1,EUR)", "(2,EUR)", "(3,EUR)"),
    "rate": ("1", "1.0", "2"),
    "better_rate": ("1", "1.0", "2"),
    "word": ("a", "b", "c"),
    "mood[]": ("{sad}", "{glad}", "{sad}"),
}
KEYS = [kind for kind in VALUES if kind not in {"json", "point", "xid", "boolean", "mood", "mood[]"}]
"""Types that a primary key can have, and of which there are three values."""

ALIKE: list[set[str]] = [{"integer", "bigint"}, {"text", "varchar(9)"}]


pytestmark = ONLY_POSTGRESQL


def create_types(engine: Engine) -> None:
    own_tables(engine)
    with engine.begin() as connection:
        for statement in PREPARED:
            connection.execute(text(statement))


@pytest.fixture
def types(engine: Engine) -> Engine:
    begin_with(engine, create_types)
    return engine


def retyped(table: str, column: str, kind: str) -> str:
    """A migration that gives a column another type."""
    return f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING '{VALUES[kind][0]}'::{kind}"


def run(found: Captured, *statements: str) -> None:
    with found.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def kinds_after(connection: Connection, migration: str, *statements: str) -> set[str]:
    """The kinds of what is written down of statements after a migration. None may fail. All is rolled back."""
    with connection.begin() as transaction:
        connection.exec_driver_sql("DELETE FROM afterwork_journal")
        connection.exec_driver_sql(migration)
        for statement in statements:
            connection.exec_driver_sql(statement)
        told = connection.exec_driver_sql("SELECT DISTINCT kind FROM afterwork_journal").scalars().all()
        transaction.rollback()
    return {kind.upper() for kind in told}


def is_alike(old: str, new: str) -> bool:
    """Whether values of two types are written down and compared in the same way."""
    return old == new or any({old, new} <= alike for alike in ALIKE)


@pytest.mark.parametrize("old", VALUES)
def test_a_column_of_any_type_gets_any_other(types: Engine, captured: Start, old: str) -> None:
    with types.begin() as connection:
        connection.execute(text(f"CREATE TABLE thing (id int PRIMARY KEY, v {old})"))
    found = captured(Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("v", NullType)))
    run(found, f"INSERT INTO thing VALUES (1, '{VALUES[old][0]}')")
    with types.connect() as connection:
        for new, (_, two, three) in VALUES.items():
            told = kinds_after(
                connection,
                retyped("thing", "v", new),
                f"INSERT INTO thing VALUES (2, '{two}')",
                f"UPDATE thing SET v = '{three}'",
                "DELETE FROM thing WHERE id = 2",
            )
            assert told in (set("IUD"), {"T"})
            assert told == set("IUD") or not is_alike(old, new)


def test_types_are_asked_for_when_statements_are_planned_and_not_again(types: Engine, captured: Start) -> None:
    with types.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id int PRIMARY KEY, v better_rate, w mood)"))
    columns = Column("id", Integer, primary_key=True), Column("v", NullType), Column("w", NullType)
    captured(Table("thing", MetaData(), *columns))

    with types.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET track_functions = 'all'")
        for migration, asked in (("SELECT", 9), ("SELECT", 9), ("ALTER TABLE thing ALTER w TYPE text", 18)):
            connection.exec_driver_sql(migration)
            for statement in ("INSERT INTO thing VALUES (1, 1, 'sad')", "UPDATE thing SET v = 2", "DELETE FROM thing"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
            calls = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'afterwork_type_of'"
            assert connection.exec_driver_sql(calls).scalar() == asked


@pytest.mark.parametrize("old", KEYS)
@pytest.mark.parametrize("is_composite", [False, True])
def test_a_key_of_any_type_gets_any_other(types: Engine, captured: Start, old: str, is_composite: bool) -> None:
    more = ", part" if is_composite else ""
    with types.begin() as connection:
        connection.execute(text(f"CREATE TABLE thing (id {old}, part int, PRIMARY KEY (id{more}))"))
    key: list[Column[Any]] = [
        Column("id", NullType, primary_key=True),
        Column("part", Integer, primary_key=is_composite),
    ]
    found = captured(Table("thing", MetaData(), *key))
    run(found, f"INSERT INTO thing VALUES ('{VALUES[old][0]}', 1)")
    with types.connect() as connection:
        for new in KEYS:
            told = kinds_after(
                connection,
                retyped("thing", "id", new),
                f"INSERT INTO thing VALUES ('{VALUES[new][2]}', 2)",
                "UPDATE thing SET part = part + 10",
                "DELETE FROM thing WHERE part = 12",
            )
            assert {"I", "D"} <= told or told == {"T"}


@pytest.mark.parametrize("old", ["integer", "text", "uuid", "numeric", "date"])
@pytest.mark.parametrize("how", ["retype", "drop the key", "drop", "rename", "other key"])
def test_what_refers_to_another_table(types: Engine, captured: Start, old: str, how: str) -> None:
    new = "text" if old != "text" else "bytea"
    with types.begin() as connection:
        connection.execute(text(f"CREATE TABLE whole (id {old} PRIMARY KEY, other int)"))
        connection.execute(
            text(f"CREATE TABLE part (id int PRIMARY KEY, whole_id {old} REFERENCES whole ON UPDATE CASCADE)")
        )
    metadata = MetaData()
    whole = Table("whole", metadata, Column("id", NullType, primary_key=True), Column("other", Integer))
    part = Table(
        "part", metadata, Column("id", Integer, primary_key=True), Column("whole_id", NullType, ForeignKey("whole.id"))
    )
    found = captured(whole, part)
    one, _, two = VALUES[old]
    run(found, f"INSERT INTO whole VALUES ('{one}', 1)", f"INSERT INTO part VALUES (1, '{one}')")
    run(found, "ALTER TABLE part DROP CONSTRAINT part_whole_id_fkey")
    match how:
        case "retype":
            run(found, *(f"ALTER TABLE {t} ALTER {c} TYPE {new} USING {c}::text::{new}" for t, c in LINK))
        case "drop the key":
            run(found, "ALTER TABLE whole DROP CONSTRAINT whole_pkey, ALTER id DROP NOT NULL")
            run(found, "INSERT INTO whole VALUES (NULL, 5)")
        case "drop":
            run(found, "ALTER TABLE whole DROP COLUMN id", "ALTER TABLE part DROP COLUMN whole_id")
        case "rename":
            run(found, "ALTER TABLE whole RENAME id TO key", "ALTER TABLE part RENAME whole_id TO whole_key")
        case "other key":
            run(found, "ALTER TABLE whole DROP CONSTRAINT whole_pkey, ADD PRIMARY KEY (other)")
    found.changes()
    first = [] if how == "drop" else [f"'{two}'"]
    run(found, f"INSERT INTO whole VALUES ({', '.join([*first, '2'])})", "UPDATE whole SET other = other + 10")
    run(found, f"INSERT INTO part VALUES ({', '.join(['2', *first])})", "UPDATE part SET id = id + 10")
    run(found, "DELETE FROM whole WHERE other = 12", "DELETE FROM part WHERE id = 12")
    assert {change.table_id for change in found.changes()} == {1, 2}


LINK = (("whole", "id"), ("part", "whole_id"))


@pytest.mark.parametrize("kind", ["bigint", "smallint", "oid", "amount"])
def test_what_is_written_before_the_installation_counts_after_it(engine: Engine, kind: str) -> None:
    place = opened(engine)
    place.sql("CREATE DOMAIN amount AS int")
    place.sql(f"ALTER TABLE orders ALTER amount TYPE {kind}")
    place.run()
    place.sql("UPDATE orders SET amount = 10 WHERE id = 1", "INSERT INTO orders VALUES (3, 1, 5)")
    place.sql("DELETE FROM orders WHERE id = 2")
    place.run()
    assert place.total() == 15
    place.install()
    place.run()
    assert place.total() == 15
    place.sql("UPDATE orders SET amount = 20 WHERE id = 1")
    assert len(place.run()) == 1
    assert (place.total(), place.faults()) == (25, [])
