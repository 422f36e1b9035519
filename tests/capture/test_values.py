"""Python and the triggers write the same value as the same text."""

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
    ForeignKey,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    Unicode,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import CITEXT, DOMAIN, INET, JSONB
from sqlalchemy.orm import Session, registry

from afterwork.derived.manifest.reads import read_key
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.journal.values import BAD_VALUE, identity_of, key_of, text_of
from tests.capture.column_types import Guid, Mood, Reversed
from tests.capture.conftest import Captured

Start = Callable[..., Captured]


class Cents(TypeDecorator[Decimal]):
    """Money that is stored as a whole number."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


class Lowered(TypeDecorator[str]):
    """Text that the database makes small."""

    impl = String
    cache_ok = True

    def bind_expression(self, bindparam: Any) -> Any:
        return func.lower(bindparam)


LETTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
WORDS = st.text(LETTERS, max_size=100)
CHARACTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0") | st.sampled_from("\x1e\x1f01")
PARTS = st.text(CHARACTERS, max_size=200)
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
    "collated": (String(200, collation="C").with_variant(String(200), "sqlite"), WORDS),
}
LINKING: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "day": (Date, st.dates()),
    "moment": (DateTime, NAIVE),
    "time": (Time, st.times()),
    "binary": (LargeBinary, st.binary(max_size=40)),
}
LINKING_ON_POSTGRESQL: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "zoned": (DateTime(timezone=True), AWARE),
    "number": (Numeric, DECIMALS),
    "money": (Numeric(20, 2), DECIMALS),
}
VALUED_ON_POSTGRESQL: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "code": (CHAR(4), st.text(st.sampled_from("abcü "), max_size=4)),
    "domain": (DOMAIN("short", String(8)), st.text(LETTERS, max_size=8)),
    "domain_of_numbers": (DOMAIN("whole", Integer()), st.integers(-(2**31), 2**31 - 1)),
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
def valued(captured: Start, engine: Any) -> Captured:
    """A table with columns of all types. Some are kept only since the model says that they are foreign keys."""
    kinds, linking = VALUED, LINKING
    if engine.dialect.name == "postgresql":
        kinds, linking = VALUED | VALUED_ON_POSTGRESQL, LINKING | LINKING_ON_POSTGRESQL
    columns = [Column(name, kind) for name, (kind, _) in kinds.items()]
    plain = [Column(name, kind) for name, (kind, _) in linking.items()]
    links = [Column(name, kind, ForeignKey(f"other.{name}")) for name, (kind, _) in linking.items()]
    key = Column("id", Integer, primary_key=True)
    Table("valued", MetaData(), *(column._copy() for column in (key, *columns, *plain))).create(engine)
    metadata = MetaData()
    Table("other", metadata, *(column._copy() for column in plain))
    return captured(Table("valued", metadata, key, *columns, *links))


def test_values(valued: Captured) -> None:
    table = valued.tables[0]
    thing, dialect = mapped(table), valued.engine.dialect
    (watch,) = valued.watches
    kinds = VALUED | LINKING | ({} if valued.on_sqlite else VALUED_ON_POSTGRESQL | LINKING_ON_POSTGRESQL)
    key = iter(range(1, 10**6))

    def texts(obj: Any) -> dict[str, str | None]:
        return {name: text_of(watch, name, getattr(obj, name), dialect) for name in watch.valued}

    @MANY
    @given(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in kinds.items()}))
    def check(values: dict[str, Any]) -> None:
        with Session(valued.engine) as session, session.begin():
            made = thing()
            for name, value in {"id": next(key), **values}.items():
                setattr(made, name, value)
            session.add(made)
            session.flush()
            expected = texts(made)
        (change,) = valued.changes()
        assert valued.image(change) == expected
        with Session(valued.engine) as session:
            (loaded,) = session.scalars(select(thing).where(table.c.id == change.key))
            assert texts(loaded) == expected

    assert set(watch.valued) == {"id", *kinds}
    check()


@pytest.mark.parametrize(
    ("url", "kind", "strategy"),
    [
        pytest.param(url, *kind, id=f"{url}-{name}")
        for url, kinds in (("sqlite", KEYS), ("postgresql", KEYS | ON_POSTGRESQL))
        for name, kind in kinds.items()
    ],
    indirect=["url"],
)
@pytest.mark.parametrize("is_composite", [False, True])
def test_keys(captured: Start, kind: Any, strategy: st.SearchStrategy[Any], is_composite: bool) -> None:
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
        assert come.key is not None
        assert expected is not None
        assert come.key == gone.key
        assert read_key(1, come.key) == read_key(1, expected)
        if not isinstance(kind, CHAR):
            assert identity_of(watch, come.key, dialect) == identity

    check()


INEXACT: dict[str, list[Any]] = {
    "sqlite": [Float, String(collation="NOCASE"), String(collation="RTRIM")],
    "postgresql": [Float, CITEXT, Interval, JSONB, INET, DOMAIN("folded", CITEXT()), String(collation="folding")],
}


def test_values_that_sql_does_not_compare_by_their_text_are_not_kept(captured: Start, engine: Any) -> None:
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE EXTENSION citext")
    kinds = [kind for kind in INEXACT[engine.dialect.name] if "folding" not in str(getattr(kind, "collation", ""))]
    columns = [Column(f"c{number}", kind) for number, kind in enumerate(kinds)]
    table = Table("inexact", MetaData(), Column("id", Integer, primary_key=True), *columns)
    (watch,) = captured(table).watches
    assert watch.valued == ("id",)
    for column in columns:
        with pytest.raises(BAD_VALUE):
            text_of(watch, column.name, "x", engine.dialect)


def test_values_that_the_column_does_not_hold_are_asked_for_with_caution(captured: Start, engine: Any) -> None:
    kinds: dict[str, tuple[Any, list[Any]]] = {
        "whole": (Integer, [7.5, Decimal("7.5"), "seven and a half", "7.0"]),
        "word": (String(20), [7.5, object()]),
        "moment": (DateTime, [7.5, "x" if engine.dialect.name == "postgresql" else 7.5]),
        "lowered": (Lowered, ["x"]),
    }
    if engine.dialect.name == "postgresql":
        kinds["number"] = Numeric, [7.5]
        kinds["zoned"] = DateTime(timezone=True), [datetime(2026, 1, 1)]
    table = Table("held", MetaData(), *(Column(name, kind) for name, (kind, _) in kinds.items()))
    (watch,) = captured(table).watches
    for name, (_, values) in kinds.items():
        for value in values:
            if (name, value, engine.dialect.name) == ("whole", "seven and a half", "sqlite"):
                continue  # SQLite keeps it as it is
            with pytest.raises(BAD_VALUE):
                text_of(watch, name, value, engine.dialect)


def test_a_null_letter_ends_a_text_on_sqlite(captured: Start) -> None:
    table = Table("word", MetaData(), Column("id", Integer, primary_key=True), Column("word", Text))
    found = captured(table)
    if found.on_sqlite:
        with found.engine.begin() as connection:
            connection.execute(table.insert().values(id=1, word="a\0b"))
        (watch,) = found.watches
        (change,) = found.changes()
        assert found.image(change)["word"] == "a" == text_of(watch, "word", "a\0b", found.engine.dialect)
