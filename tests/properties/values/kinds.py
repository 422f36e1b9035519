"""The types of both dialects, each with values as Python has them and as other programs write them in SQL."""

import datetime as dt
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, types
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import Range


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Lower(types.TypeDecorator[str]):
    """Stores texts in lower case."""

    impl = types.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.lower()


class Cents(types.TypeDecorator[Decimal]):
    """Stores an amount as whole cents."""

    impl = types.Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value * 100)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / 100


@dataclass(frozen=True)
class Kind:
    """A type of column. `python` are values by the ORM, `sql` are literals by another program. `ddl` is what the
    database calls the column's type where that is not what the model says; `before` are statements that must have been
    executed before tables are made, `after` when they were."""

    name: str
    type: Callable[[], types.TypeEngine[Any]]
    python: tuple[Any, ...] = ()
    sql: tuple[str, ...] = ()
    is_key: bool = True
    has_equality: bool = True
    ddl: str | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _sqlite_datetime(**options: Any) -> types.TypeEngine[Any]:
    found: types.TypeEngine[Any] = sqlite.DATETIME(**options)  # type: ignore[no-untyped-call]
    return found


LONG = "x" * 3000
TEXTS = ("", "a", "a\x1fb", "a ", "É", "~", "a!b", "%s :x", LONG)
DAYS = (dt.date(2026, 1, 1), dt.date.min, dt.date.max)
MOMENTS = (dt.datetime(2026, 1, 1, 10), dt.datetime(2026, 1, 1, 10, 0, 0, 1), dt.datetime.min, dt.datetime.max)
AWARE = tuple(moment.replace(tzinfo=dt.UTC) for moment in MOMENTS[:2])
ODD_DAYS = ("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'10000-01-01'")
UUIDS = (uuid.UUID(int=0), uuid.UUID("3f2504e0-4f89-11d3-9a0c-0305e82c3301"))

ON_POSTGRESQL: tuple[Kind, ...] = (
    Kind("smallint", types.SmallInteger, (0, -1, 32767), ("1", "'-5'")),
    Kind("integer", types.Integer, (0, -1, 2**31 - 1), ("1", "'-5'")),
    Kind("bigint", types.BigInteger, (0, -1, 2**63 - 1), ("1", "-9223372036854775808")),
    Kind(
        "numeric",
        types.Numeric,
        (Decimal("1.5"), Decimal("NaN"), Decimal("1E+30")),
        ("1.50", "1.5", "'NaN'", "'Infinity'", "1e-30", "'-0.0'", "0.00"),
    ),
    Kind("numeric(10,2)", lambda: types.Numeric(10, 2), (Decimal("1.5"), Decimal("0.005")), ("2", "'NaN'", "-0.001")),
    Kind("numeric as float", lambda: types.Numeric(asdecimal=False), (1.5, 0.1), ("1.50", "'NaN'", "1e-30")),
    Kind(
        "double",
        types.Double,
        (0.0, -0.0, 1.5, float("nan"), float("inf"), 1e308),
        ("'-0'", "0", "'NaN'", "'-Infinity'", "1e-300"),
    ),
    Kind("float", types.Float, (0.0, -0.0, 0.1), ("'-0'", "0", "'NaN'")),
    Kind("real", types.REAL, (0.1, 1 / 3, -0.0), ("'-0'", "0.1", "'NaN'")),
    Kind("text", types.Text, TEXTS, ("''", "'A'", r"E'a\x1fb'", "repeat('y', 3000)", r"E'\x01'")),
    Kind("varchar(10)", lambda: types.String(10), ("", "a", "a "), ("'b '", "'B'")),
    Kind("char(5)", lambda: types.CHAR(5), ("", "a", "a "), ("'b '", "'B'", "'b'", "''")),
    Kind("unicode", types.Unicode, ("", "É", "E\u0301"), ("'\u00e9'",)),
    Kind("text collate C", lambda: types.Text(collation="C"), ("a", "B"), ("'b'",)),
    Kind("citext", postgresql.CITEXT, ("a", "B"), ("'A'", "'b'", "''"), before=("CREATE EXTENSION citext",)),
    Kind("lower", Lower, ("a", "B"), ("'A'", "'b'")),
    Kind("cents", Cents, (Decimal("1.5"), Decimal("2.01")), ("150", "0")),
    Kind("boolean", types.Boolean, (True, False), ("true", "'f'")),
    Kind("date", types.Date, DAYS, ODD_DAYS),
    Kind("timestamp", types.DateTime, MOMENTS, (*ODD_DAYS, "'2026-01-01 10:00:00.000001'")),
    Kind("timestamptz", lambda: types.DateTime(timezone=True), AWARE, (*ODD_DAYS, "'2026-01-01 12:00:00+02'")),
    Kind(
        "timestamp(0)",
        lambda: postgresql.TIMESTAMP(precision=0),
        (*MOMENTS[:2], dt.datetime(2026, 1, 1, 0, 0, 0, 700_000)),
        ODD_DAYS,
    ),
    Kind("time", types.Time, (dt.time(10), dt.time.max), ("'24:00:00'", "'10:00:00.000001'")),
    Kind(
        "timetz",
        lambda: types.Time(timezone=True),
        (dt.time(10, tzinfo=dt.UTC),),
        ("'24:00:00+00'", "'12:00:00+02'", "'10:00:00+15:59:59'"),
    ),
    Kind(
        "interval",
        types.Interval,
        (dt.timedelta(days=30), dt.timedelta(0), -dt.timedelta(microseconds=1)),
        ("'1 mon'", "'30 days'", "'720 hours'", "'infinity'", "'100000000 years'"),
    ),
    Kind("bytea", types.LargeBinary, (b"", b"\x00\xff", b"x" * 3000), (r"'\x00'", "''")),
    Kind("uuid", types.Uuid, UUIDS, ("'3F2504E0-4F89-11D3-9A0C-0305E82C3302'", "'{3f2504e04f8911d39a0c0305e82c3303}'")),
    Kind(
        "uuid as text",
        lambda: types.Uuid(as_uuid=False),
        tuple(map(str, UUIDS)),
        ("'3F2504E0-4F89-11D3-9A0C-0305E82C3302'",),
    ),
    Kind(
        "json",
        types.JSON,
        ({"n": 1}, {"n": True}, [1.0, None], "x", 1),
        ("'{\"n\": 1.0}'", '\'{"n":1,"n":2}\'', "'null'", "'1e999'"),
        is_key=False,
        has_equality=False,
    ),
    Kind(
        "jsonb",
        postgresql.JSONB,
        ({"n": 1}, {"n": True}, [1.0, None], "x", 1),
        ("'{\"n\": 1.0}'", "'null'", "'1e400'", "'1'", "'1.0'"),
    ),
    Kind(
        "enum",
        lambda: types.Enum(Size, name="size"),
        tuple(Size),
        ("'SMALL'", "'HUGE'"),
        after=("ALTER TYPE size ADD VALUE 'HUGE'",),
    ),
    Kind(
        "enum of texts",
        lambda: types.Enum(Size, native_enum=False, create_constraint=False, length=20),
        tuple(Size),
        ("'SMALL'", "'HUGE'", "''"),
    ),
    Kind(
        "array of integers",
        lambda: types.ARRAY(types.Integer),
        ([], [1], [1, None], [2, 1]),
        ("'{}'", "'{NULL}'", "'{1}'", "'[2:3]={1,2}'"),
    ),
    Kind(
        "array of texts",
        lambda: types.ARRAY(types.Text),
        ([], ["a,b"], ["", None], ['"']),
        ("'{NULL}'", "'{\"NULL\"}'"),
    ),
    Kind("array of numerics", lambda: types.ARRAY(types.Numeric), ([Decimal("1.5")],), ("'{1.50}'", "'{NaN}'")),
    Kind("inet", postgresql.INET, ("10.0.0.1", "10.0.0.0/24", "::1"), ("'10.0.0.1/32'", "'10.0.0.1/8'")),
    Kind("cidr", postgresql.CIDR, ("10.0.0.0/24",), ("'10/8'", "'::/0'")),
    Kind("macaddr", postgresql.MACADDR, ("08:00:2b:01:02:03",), ("'08002B:010204'",)),
    Kind("macaddr8", postgresql.MACADDR8, ("08:00:2b:01:02:03:04:05",), ("'08002B:0102030406'",)),
    Kind("bit(3)", lambda: postgresql.BIT(3), (), ("B'101'", "B'000'")),
    Kind("bit varying", lambda: postgresql.BIT(varying=True), (), ("B'101'", "B''")),
    Kind("money", postgresql.MONEY, (), ("1.5", "'-2'", "0")),
    Kind("oid", postgresql.OID, (1, 4294967295), ("2",)),
    Kind("int4range", postgresql.INT4RANGE, (Range(1, 3), Range(empty=True), Range()), ("'[1,2]'", "'empty'", "'(,)'")),
    Kind("int8range", postgresql.INT8RANGE, (Range(1, 3),), ("'[1,2]'", "'empty'")),
    Kind(
        "numrange", postgresql.NUMRANGE, (Range(Decimal("1.5"), Decimal(3)),), ("'[1.50,3]'", "'empty'", "'[1.5,3.0)'")
    ),
    Kind("daterange", postgresql.DATERANGE, (Range(DAYS[0], None),), ("'[2026-01-01,infinity]'", "'[2026-01-01,)'")),
    Kind("tsrange", postgresql.TSRANGE, (Range(MOMENTS[0], None),), ("'[-infinity,infinity]'",)),
    Kind("tstzrange", postgresql.TSTZRANGE, (Range(AWARE[0], None),), ("'[-infinity,infinity]'",)),
    Kind("int4multirange", postgresql.INT4MULTIRANGE, (), ("'{[1,2],[5,6]}'", "'{}'")),
    Kind("domain over integer", lambda: postgresql.DOMAIN("whole", types.Integer()), (0, 7), ("1",)),
    Kind("domain over text", lambda: postgresql.DOMAIN("word", types.Text()), TEXTS, ("'A'", "''")),
    Kind("domain over date", lambda: postgresql.DOMAIN("day", types.Date()), DAYS, ODD_DAYS),
    Kind("tsvector", postgresql.TSVECTOR, (), ("'a b'", "''")),
    Kind("hstore", postgresql.HSTORE, ({"a": "1"}, {"a": None}, {}), ("'a=>2'",), before=("CREATE EXTENSION hstore",)),
    Kind("pickle", types.PickleType, ({"a": 1}, (1, 2), None), (r"'\x00'",)),
    Kind(
        "interval of seconds",
        lambda: postgresql.INTERVAL(precision=0),
        (dt.timedelta(seconds=1.7),),
        ("'1 mon'", "'infinity'"),
    ),
)

ON_SQLITE: tuple[Kind, ...] = (
    Kind("integer", types.Integer, (0, -1, 2**63 - 1), ("1", "'7'", "1.5", "'abc'", "x'00'")),
    Kind("bigint", types.BigInteger, (0, -(2**63)), ("1", "1e30", "'abc'", "x'31'")),
    Kind(
        "numeric",
        types.Numeric,
        (Decimal("1.5"), Decimal("0.1")),
        ("1.50", "'abc'", "9e999", "-0.0", "12345678901234567890"),
    ),
    Kind("numeric(10,2)", lambda: types.Numeric(10, 2), (Decimal("1.5"), Decimal("0.005")), ("2", "1.005", "''")),
    Kind("float", types.Float, (0.0, -0.0, 1.5, float("inf")), ("0", "-0.0", "'abc'", "9e999", "1")),
    Kind(
        "text",
        types.Text,
        (*TEXTS, "\x00", "a\x00b"),
        ("''", "'A'", "char(31)", "CAST(x'ff41' AS TEXT)", "x'00ff'", "x'61'", "x'41'", "CAST(x'6100' AS TEXT)", "7"),
    ),
    Kind("varchar(10)", lambda: types.String(10), ("", "a", "a "), ("'b '", "'B'", "x'ff'")),
    Kind("char(5)", lambda: types.CHAR(5), ("", "a", "a "), ("'b '", "'B'", "'b'")),
    Kind("text nocase", lambda: types.Text(collation="NOCASE"), ("a", "B"), ("'A'", "'b'", "x'61'", "x'41'")),
    Kind(
        "text that the database has as nocase",
        types.Text,
        ("a", "B"),
        ("'A'", "'b'", "'É'", "'é'"),
        ddl="TEXT COLLATE NOCASE",
    ),
    Kind("text that the database has as rtrim", types.Text, ("a", "B "), ("'a  '", "'B'"), ddl="TEXT COLLATE RTRIM"),
    Kind(
        "column without a type",
        types.Text,
        ("a", "1", "'1'"),
        ("1", "1.0", "x'61'", "'1.0'", "'X''61'''", "'1e2'", "100.0"),
        ddl="",
    ),
    Kind("lower", Lower, ("a", "B"), ("'A'", "'b'")),
    Kind("cents", Cents, (Decimal("1.5"), Decimal("2.01")), ("150", "0")),
    Kind("boolean", types.Boolean, (True, False), ("1", "'true'", "2")),
    Kind(
        "date",
        types.Date,
        DAYS,
        (
            "'2026-01-02'",
            "CAST('2026-01-02' AS BLOB)",
            "'2026-01-01 00:00:00'",
            "'2026-1-1'",
            "'infinity'",
            "''",
            "'0000-00-00'",
        ),
    ),
    Kind(
        "datetime",
        types.DateTime,
        MOMENTS,
        (
            "datetime('2026-01-01 10:00:00')",
            "'2026-01-01T10:00:00'",
            "'2026-01-01 10:00'",
            "'2026-01-01 10:00:00.1'",
            "'2026-01-01 10:00:00+02:00'",
            "'2026-01-01'",
            "'never'",
            "0",
        ),
    ),
    Kind(
        "short datetime",
        lambda: _sqlite_datetime(truncate_microseconds=True),
        MOMENTS[:2],
        ("'2026-01-01 10:00:00.5'",),
    ),
    Kind(
        "datetime of digits",
        lambda: _sqlite_datetime(
            storage_format="%(year)04d%(month)02d%(day)02d%(hour)02d%(minute)02d%(second)02d",
            regexp=r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})",
        ),
        MOMENTS[:1],
        ("'20260101100001'",),
    ),
    Kind("time", types.Time, (dt.time(10), dt.time.max), ("'10:00'", "'10:00:00'", "'24:00:00'")),
    Kind("interval", types.Interval, (dt.timedelta(days=30), dt.timedelta(0)), ("'1970-01-02 00:00:00'", "'x'")),
    Kind("blob", types.LargeBinary, (b"", b"\x00\xff", b"x" * 3000), ("x'00'", "'text'", "7")),
    Kind(
        "uuid",
        types.Uuid,
        UUIDS,
        ("'3f2504e0-4f89-11d3-9a0c-0305e82c3301'", "'3F2504E04F8911D39A0C0305E82C3302'", "'no'"),
    ),
    Kind(
        "uuid as text",
        lambda: types.Uuid(as_uuid=False),
        tuple(map(str, UUIDS)),
        ("'3F2504E0-4F89-11D3-9A0C-0305E82C3302'",),
    ),
    Kind(
        "json",
        types.JSON,
        ({"n": 1}, {"n": True}, [1.0, None], "x", 1),
        ("'{\"n\": 1.0}'", "'{\"n\":1 }'", "'{'", "'NaN'", "'null'"),
        has_equality=False,
    ),
    Kind("enum", lambda: types.Enum(Size, create_constraint=False), tuple(Size), ("'SMALL'", "'HUGE'", "''")),
    Kind("pickle", types.PickleType, ({"a": 1}, (1, 2)), ("x'00'",)),
)
