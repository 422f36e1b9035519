"""A change is what a calculation could tell apart, whether or not SQL holds the values for equal."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, text
from sqlalchemy.types import NullType

from tests.capture.conftest import Captured, own_tables
from tests.support.marks import ONLY_POSTGRESQL, ONLY_SQLITE
from tests.support.prepared import begin_with

Start = Callable[..., Captured]

PREPARED = (
    "CREATE TYPE price AS (amount numeric, unit text)",
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE DOMAIN rate AS numeric",
    "CREATE DOMAIN better_rate AS rate",
    "CREATE DOMAIN word AS text",
    "CREATE EXTENSION citext",
    "CREATE EXTENSION hstore",
)

# Values that SQL holds for equal, unless it has no way to compare them, and that Python reads as others.
OTHERS = {
    "numeric": ["1.5", "1.50", "1.500"],
    "rate": ["1", "1.0"],
    "better_rate": ["1", "1.0"],
    "real": ["0", "-0"],
    "double precision": ["0", "-0"],
    "interval": ["1 mon", "30 days", "720:00:00"],
    "json": ['{"n": 1}', '{"n": 1.0}', '{"n":1}'],
    "jsonb": ['{"n": 1}', '{"n": 1.0}'],
    "bpchar": ["a", "a "],
    "citext": ["a", "A"],
    "hstore": ["a=>1", "a=>2"],
    "point": ["(1,2)", "(1,2.0000000001)"],
    "box": ["(2,2),(0,0)", "(4,1),(0,0)"],
    "circle": ["<(0,0),1>", "<(5,5),1>"],
    "polygon": ["((0,0),(1,1),(2,0))", "((0,0),(1,1),(3,0))"],
    "tsvector": ["a:1", "a:1A"],
    "price": ["(1.5,EUR)", "(1.50,EUR)"],
    "numeric[]": ["{1.5,NULL}", "{1.50,NULL}"],
    "double precision[]": ["{0}", "{-0}"],
    "interval[]": ["{1 mon}", "{30 days}"],
    "jsonb[]": ['{"1"}', '{"1.0"}'],
    "price[]": ['{"(1,EUR)"}', '{"(1.0,EUR)"}'],
    "numrange": ["[1.5,2)", "[1.50,2)"],
    "nummultirange": ["{[1.5,2)}", "{[1.50,2)}"],
}

# Ways to write one value.
SAME = {
    "integer": ["1", " 1"],
    "boolean": ["t", "yes"],
    "numeric(10,2)": ["1.5", "1.50"],
    "char(3)": ["a", "a "],
    "varchar(9)": ["a"],
    "word": ["a"],
    "mood": ["glad"],
    "uuid": ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}"],
    "bytea": [r"\x61", "a"],
    "date": ["2026-01-02", "Jan 2 2026"],
    "timestamptz": ["2026-01-02 10:00+00", "2026-01-02 11:00+01"],
    "interval": ["1 day 01:00", "1 day 60 minutes"],
    "jsonb": ['{"a": 1, "b": 2}', '{"b":2,"a":1}'],
    "int4range": ["[1,2]", "[1,3)"],
    "integer[]": ["{1,2}", "{ 1, 2 }"],
}


# The same on SQLite, by the types that columns are declared to have.
OTHERS_ON_SQLITE: dict[str, list[object]] = {
    "": [1, 1.0, "1", b"1"],
    "BLOB": [0.0, -0.0],
    "TEXT": ["a", b"a", "a\0b", "a\0c"],
    "TEXT COLLATE NOCASE": ["a", "A"],
    "TEXT COLLATE RTRIM": ["a", "a "],
    "NUMERIC": [1, b"1"],
    "INTEGER": [1, "one", b"one"],
}
SAME_ON_SQLITE: dict[str, list[object]] = {
    "": ["1"],
    "INTEGER": [1, 1.0, "1", "1.0"],
    "DECIMAL(10, 2)": [1, 1.0, "1.00"],
    "REAL": [0, 0.0, -0.0],
    "TEXT": [1, "1"],
    "JSON": ["1", "1.0"],
}

KEYS = ("id INTEGER PRIMARY KEY", "id NUMERIC PRIMARY KEY", "id INTEGER")


@pytest.fixture
def types(engine: Engine) -> Engine:
    begin_with(engine, create_types)
    return engine


def create_types(engine: Engine) -> None:
    own_tables(engine)
    for statement in PREPARED:
        with engine.begin() as connection:
            connection.execute(text(statement))


def things(captured: Start, engine: Engine, kinds: Iterable[str], key: str = KEYS[0]) -> Captured:
    """A row with a value of each type, of which SQLAlchemy knows nothing."""
    names = [f"v{place}" for place, _ in enumerate(kinds)]
    definitions = (f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE thing ({', '.join([key, *definitions])})"))
        connection.execute(text("INSERT INTO thing (id) VALUES (1)"))
    identity: Column[Any] = Column("id", Integer, primary_key="PRIMARY" in key)
    values: list[Column[Any]] = [Column(name, NullType) for name in names]
    return captured(Table("thing", MetaData(), identity, *values))


def is_told(found: Captured, place: int, value: object, kind: str) -> bool:
    """Whether it is written down that a value takes the place of the one before."""
    one = f"CAST(:value AS {kind})" if found.engine.dialect.name == "postgresql" else ":value"
    return found.run(f"UPDATE thing SET v{place} = {one}", value=value) != []


@ONLY_POSTGRESQL
@pytest.mark.parametrize("key", KEYS)
def test_what_python_tells_apart_is_a_change(types: Engine, captured: Start, key: str) -> None:
    found = things(captured, types, OTHERS, key)
    for place, (kind, values) in enumerate(OTHERS.items()):
        told = [is_told(found, place, value, kind) for value in (*values, values[0])]
        assert (kind, told) == (kind, [True] * len(told))
    every = ", ".join(f"v{place} = v{place}" for place, _ in enumerate(OTHERS))
    assert found.run(f"UPDATE thing SET {every}") == []


@ONLY_POSTGRESQL
def test_a_value_that_is_written_in_another_way_is_no_change(types: Engine, captured: Start) -> None:
    found = things(captured, types, SAME)
    for place, (kind, values) in enumerate(SAME.items()):
        told = [is_told(found, place, value, kind) for value in (*values, values[0])]
        assert (kind, told) == (kind, [True, *[False] * len(values)])


@ONLY_SQLITE
def test_what_python_tells_apart_is_a_change_on_sqlite_too(engine: Engine, captured: Start) -> None:
    found = things(captured, engine, OTHERS_ON_SQLITE)
    for place, (kind, values) in enumerate(OTHERS_ON_SQLITE.items()):
        told = [is_told(found, place, value, kind) for value in (*values, values[0])]
        assert (kind, told) == (kind, [True] * len(told))


@ONLY_SQLITE
def test_what_sqlite_makes_one_value_of_is_no_change(engine: Engine, captured: Start) -> None:
    found = things(captured, engine, SAME_ON_SQLITE)
    for place, (kind, values) in enumerate(SAME_ON_SQLITE.items()):
        told = [is_told(found, place, value, kind) for value in (*values, values[0])]
        assert (kind, told) == (kind, [True, *[False] * len(values)])
