"""Python and the triggers write the same value as the same text."""

import enum
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    Unicode,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import Session, registry

from afterwork.journal.values import identity_of, is_valued, key_of, text_of
from afterwork.model.moment import UtcDateTime
from tests.journal.conftest import Captured

Start = Callable[..., Captured]


class Mood(enum.Enum):
    SAD = "a little sad"
    GLAD = "glad"


class Reversed(TypeDecorator[str]):
    """Text that is stored from right to left."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value[::-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else value[::-1]


class Cents(TypeDecorator[Decimal]):
    """Money that is stored as a whole number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


class Guid(TypeDecorator[uuid.UUID]):
    """An id that is of another type in each database."""

    impl = CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Uuid() if dialect.name == "postgresql" else String(36))

    def process_bind_param(self, value: uuid.UUID | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name == "postgresql" else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:
        return value if value is None or isinstance(value, uuid.UUID) else uuid.UUID(value)


class Lowered(TypeDecorator[str]):
    """Text that the database makes small."""

    impl = String
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        return func.lower(bindparam)


LETTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
WORDS = st.text(LETTERS, max_size=100)
PARTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\x1f"), max_size=70)
DECIMALS = st.decimals(-(10**12), 10**12, allow_nan=False, places=4)
NAIVE = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-11, minutes=-30)), timezone(timedelta(hours=5))])
AWARE = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)

VALUED: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "whole": (Integer, st.integers(-(2**31), 2**31 - 1)),
    "large": (BigInteger, st.integers(-(2**63), 2**63 - 1)),
    "truth": (Boolean, st.booleans()),
    "word": (String(200), WORDS),
    "text": (Text, WORDS),
    "letters": (Unicode(200), WORDS),
    "mood": (Enum(Mood), st.sampled_from(Mood)),
    "mood_by_value": (
        Enum(Mood, native_enum=False, values_callable=lambda kind: [one.value for one in kind], length=20),
        st.sampled_from(Mood),
    ),
    "choice": (Enum("red", "blue", name="choice"), st.sampled_from(["red", "blue"])),
    "unique_id": (Uuid, st.uuids()),
    "hex_id": (Uuid(native_uuid=False), st.uuids()),
    "text_id": (Uuid(as_uuid=False), st.uuids().map(str)),
    "reversed": (Reversed(200), WORDS),
    "cents": (Cents, st.integers(-(10**9), 10**9).map(lambda cents: Decimal(cents) / 100)),
    "guid": (Guid, st.uuids()),
}

KEYS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    **{
        name: VALUED[name]
        for name in ("large", "truth", "mood", "mood_by_value", "unique_id", "hex_id", "text_id", "cents", "guid")
    },
    "name": (String(200), PARTS),
    "code": (CHAR(4), st.text(st.sampled_from("abcü"), min_size=1, max_size=4)),
    "day": (Date, st.dates()),
    "moment": (DateTime, NAIVE),
    "utc_moment": (UtcDateTime, AWARE),
    "binary": (LargeBinary, st.binary(max_size=40)),
}
ON_POSTGRESQL: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "zoned": (DateTime(timezone=True), AWARE),
    "number": (Numeric, DECIMALS),
    "money": (Numeric(20, 2), DECIMALS),
}

MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def mapped(table: Table) -> type[Any]:
    made = type("Thing", (), {})
    registry().map_imperatively(made, table)
    return made


@pytest.fixture
def valued(captured: Start) -> Captured:
    columns = [Column(name, kind) for name, (kind, _) in VALUED.items()]
    table = Table("valued", MetaData(), Column("id", Integer, primary_key=True), *columns)
    return captured(table)


def test_values(valued: Captured) -> None:
    table = valued.tables[0]
    thing, dialect = mapped(table), valued.engine.dialect
    key = iter(range(1, 10**6))

    @MANY
    @given(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in VALUED.items()}))
    def check(values: dict[str, Any]) -> None:
        with Session(valued.engine) as session, session.begin():
            made = thing()
            for name, value in {"id": next(key), **values}.items():
                setattr(made, name, value)
            session.add(made)
            session.flush()
            expected = {column.name: text_of(column, getattr(made, column.name), dialect) for column in table.columns}
        (change,) = valued.changes()
        assert valued.image(change) == expected
        with Session(valued.engine) as session:
            (loaded,) = session.scalars(select(thing).where(table.c.id == change.key))
            again = {column.name: text_of(column, getattr(loaded, column.name), dialect) for column in table.columns}
        assert again == expected

    check()


@pytest.fixture(params=[*KEYS, *ON_POSTGRESQL])
def kind_of_key(request: pytest.FixtureRequest, engine: Any) -> tuple[Any, st.SearchStrategy[Any]]:
    if request.param in ON_POSTGRESQL and engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no such type")
    return (KEYS | ON_POSTGRESQL)[request.param]


@pytest.mark.parametrize("is_composite", [False, True])
def test_keys(captured: Start, kind_of_key: tuple[Any, st.SearchStrategy[Any]], is_composite: bool) -> None:
    kind, strategy = kind_of_key
    parts = [Column("key", kind, primary_key=True, autoincrement=False)]
    if is_composite:
        parts.append(Column("other", Integer, primary_key=True))
    table = Table("keyed", MetaData(), *parts, Column("n", Integer))
    found = captured(table)
    thing, dialect, (watch,) = mapped(table), found.engine.dialect, found.watches

    @settings(MANY, max_examples=25)
    @given(strategy)
    def check(value: Any) -> None:
        with Session(found.engine) as session, session.begin():
            made = thing()
            made.key, made.other, made.n = value, -7, 1
            session.add(made)
            session.flush()
            expected = key_of(watch, [value, -7][: len(parts)], dialect)
        with Session(found.engine) as session, session.begin():
            loaded = session.scalars(select(thing)).one()
            identity = (loaded.key, -7)[: len(parts)]
            assert key_of(watch, identity, dialect) == expected
            session.delete(loaded)
        come, gone = found.changes()
        assert come.key == gone.key == expected
        assert expected is not None
        if not isinstance(kind, CHAR):
            assert identity_of(watch, expected, dialect) == identity

    check()


def test_values_that_sql_does_not_compare_by_their_text_are_not_kept(engine: Any) -> None:
    kinds: list[Any] = [Float, Numeric, Date, DateTime, LargeBinary, CHAR(3), String(collation="C"), Lowered, CITEXT]
    for kind in kinds:
        column: Column[Any] = Column("value", kind)
        assert not is_valued(column, engine.dialect)
        with pytest.raises(ValueError, match="keeps no values of value"):
            text_of(column, "x", engine.dialect)


def test_a_null_letter_ends_a_text_on_sqlite(captured: Start) -> None:
    table = Table("word", MetaData(), Column("id", Integer, primary_key=True), Column("word", Text))
    found = captured(table)
    if found.on_sqlite:
        with found.engine.begin() as connection:
            connection.execute(table.insert().values(id=1, word="a\0b"))
        (change,) = found.changes()
        assert found.image(change)["word"] == "a" == text_of(table.c.word, "a\0b", found.engine.dialect)
