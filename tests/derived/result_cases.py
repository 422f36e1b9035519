"""Results of all types of columns: those of which the same comes back, and those that Python can tell apart."""

import datetime as dt
import enum
import math
import uuid
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    REAL,
    DateTime,
    Enum,
    Float,
    Interval,
    LargeBinary,
    Numeric,
    PickleType,
    String,
    Time,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import INET, INT4RANGE, JSONB, TIME, TIMESTAMP, Range
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.types import TypeDecorator, UserDefinedType


class Shade(enum.Enum):
    LIGHT = 1
    DARK = 2


class Lower(TypeDecorator[str]):
    """Stores texts in lower case."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.lower()


class Sealed(TypeDecorator[str]):
    """Stores a text as another one each time, as encryption does."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return f"{uuid.uuid4()}:{value}"

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.partition(":")[2]


@dataclass(frozen=True)
class Money:
    amount: Any


class MoneyType(TypeDecorator[Money]):
    """Stores objects of a class as JSON."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else {"amount": value.amount}

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Money(value["amount"])


class LowerInSql(UserDefinedType[str]):
    """Has the database write texts in lower case."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "VARCHAR(20)"

    def bind_expression(self, bindvalue: Any) -> Any:
        return func.lower(bindvalue, type_=self)


@dataclass(frozen=True)
class Case:
    """A column's type; results of which the same comes back; others, each of which another value comes back than of the
    one before. `declared` is the type that the database has."""

    kind: Any
    same: list[Any]
    others: list[Any]
    declared: str = ""


ZONED = dt.datetime(2026, 1, 1, 12, 0, 0, 700_000, dt.UTC)
STOCKHOLM = zoneinfo.ZoneInfo("Europe/Stockholm")
HALF = zoneinfo.ZoneInfo("Asia/Kolkata")
D = Decimal
NAN = float("nan")

BOTH: dict[str, Case] = {
    "text": Case(String(20), ["ab"], ["AB", "ab ", "ab"]),
    "a text that looks like a number": Case(String(20), ["1.0"], ["1", "1.00"]),
    "whole number in a column of floats": Case(Float(), [1, 1.0, D(1)], [2, 2.5]),
    "floats": Case(Float(), [1 / 3, float(f"{1 / 3!r}")], [0.1, 0.1 + 2**-56]),
    "decimals with a scale": Case(Numeric(10, 2), [D("1.5"), D("1.50"), D("1.499999"), 1.5], [D("1.51"), D("-1.51")]),
    "decimals without one": Case(Numeric(), [D(1) / 4, D("0.25")], [D("0.26"), D(3)]),
    "tuple in JSON": Case(JSON(), [{"a": (1, 2)}, {"a": [1, 2]}], [{"a": [1, True]}, {"a": [1, 1.5]}, {"a": None}]),
    "truth in JSON": Case(JSON(), [{"paid": 1}], [{"paid": True}, {"paid": 1}, {"paid": False}, {"paid": 0}]),
    "kinds of numbers in JSON": Case(JSON(), [{"n": 1}], [{"n": 1.0}, {"n": True}, {"n": 1}]),
    "list in JSON": Case(JSON(), [[1, 2], (1, 2)], [[2, 1], [True, 1], "ab", 7]),
    "keys of JSON that are numbers": Case(JSON(), [{1: 2}, {"1": 2}], [{"1": 2.0}]),
    "mutable dictionary": Case(MutableDict.as_mutable(JSON()), [{"a": 1}, MutableDict({"a": 1})], [{"a": True}]),
    "lower case": Case(Lower(), ["ABC", "abc", "aBc"], ["ABD"]),
    "lower case in SQL": Case(LowerInSql(), ["ABC", "abc", "aBc"], ["ABD"]),
    "sealed": Case(Sealed(), ["abc", "".join(("a", "bc"))], ["abd"]),
    "a class of one's own": Case(MoneyType(), [Money(1), Money(1)], [Money(True), Money(1.0), Money(2)]),
    "enumeration": Case(Enum(Shade), [Shade.LIGHT], [Shade.DARK]),
    "bytes": Case(LargeBinary(), [b"ab", bytearray(b"ab"), memoryview(b"ab")], [b"AB", b""]),
    "pickled": Case(PickleType(), [{"a": (1, 2)}, {"a": (1, 2)}], [{"a": [1, 2]}, {"a": [True, 2]}, {"a": [1.0, 2]}]),
    "pickled and mutable": Case(MutableDict.as_mutable(PickleType()), [{"a": 1}, MutableDict({"a": 1})], [{"a": True}]),
    "pickled objects": Case(PickleType(), [Money(1), Money(1)], [Money(True), Money((1,))]),
    "UUID": Case(Uuid(), [uuid.UUID(int=7)], [uuid.UUID(int=8)]),
    "UUID as a text": Case(
        Uuid(as_uuid=False), [str(uuid.UUID(int=10)), str(uuid.UUID(int=10)).upper()], [str(uuid.UUID(int=8))]
    ),
    "spans": Case(Interval(), [dt.timedelta(days=1), dt.timedelta(hours=24)], [dt.timedelta(1, 0, 1)]),
    "moments": Case(DateTime(), [dt.datetime(2026, 1, 1)], [dt.datetime(2026, 1, 1, 0, 0, 0, 1)]),
    "times": Case(Time(), [dt.time(1, 2, 3)], [dt.time(1, 2, 3, 4)]),
    "nothing": Case(JSON(), [None], [{}, None, []]),
}

POSTGRESQL: dict[str, Case] = {
    "padded text": Case(CHAR(5), ["ab", "ab   ", "ab "], ["abc", "ABC"]),
    "padded, as only the database knows": Case(String(), ["ab", "ab  "], ["abc"], "char(5)"),
    "whole seconds": Case(
        TIMESTAMP(timezone=True, precision=0), [ZONED, ZONED + dt.timedelta(0, 0, 5)], [ZONED + dt.timedelta(0, 1)]
    ),
    "whole seconds, as only the database knows": Case(
        DateTime(),
        [dt.datetime(2026, 1, 1, 0, 0, 0, 5), dt.datetime(2026, 1, 1)],
        [dt.datetime(2026, 1, 1, 0, 0, 1)],
        "timestamp(0)",
    ),
    "time zones": Case(
        DateTime(timezone=True),
        [ZONED, ZONED.astimezone(STOCKHOLM), ZONED.astimezone(HALF)],
        [ZONED.replace(tzinfo=STOCKHOLM)],
    ),
    "times of a precision": Case(
        TIME(precision=1), [dt.time(1, 2, 3, 123_456), dt.time(1, 2, 3, 100_000)], [dt.time(1, 2, 4)]
    ),
    "times in a zone": Case(
        TIME(timezone=True),
        [dt.time(1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2)))],
        [dt.time(0, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=1)))],
    ),
    "single precision": Case(REAL(), [1 / 3, 0.33333334], [0.3333334]),
    "single precision, as only the database knows": Case(Float(), [1 / 3, 0.33333334], [0.3333334], "real"),
    "digits, as only the database knows": Case(
        Numeric(), [D("1.005"), D("1.01"), D("1.0099")], [D("1.02")], "numeric(8, 2)"
    ),
    "fewer digits than the model says": Case(Numeric(10, 4), [D("1.2345"), D("1.23")], [D("1.2355")], "numeric(8, 2)"),
    "digits that count": Case(Numeric(), [D("1.5")], [D("1.50"), D("1.500"), D("1.5")]),
    "tens": Case(Numeric(), [D("1E+2"), D(100)], [D("100.0")]),
    "no number": Case(Float(), [NAN, float("nan"), math.inf - math.inf], [0.0]),
    "no decimal": Case(Numeric(10, 2), [D("NaN"), D("NaN")], [D(0)]),
    "zero below zero": Case(Float(), [0.0], [-0.0, 0.0]),
    "order and digits in jsonb": Case(
        JSONB(), [{"b": 1, "a": 1e22}, {"a": 10**22, "b": 1}], [{"a": 10**22, "b": 1.0}, {"a": 10**22, "b": True}]
    ),
    "numbers that jsonb writes in full": Case(
        JSONB(), [{"n": [1e300, 1e-7]}, {"n": [10**300, 1e-7]}], [{"n": [1e300, 1e-8]}, {"n": [1e301, 1e-8]}]
    ),
    "order in json": Case(JSON(), [{"b": 1, "a": 1}], [{"a": 1, "b": 1}]),
    "jsonb, as only the database knows": Case(
        JSON(), [{"bb": 1, "a": 1}, {"a": 1, "bb": 1}], [{"a": 1, "bb": True}], "jsonb"
    ),
    "list of decimals": Case(
        ARRAY(Numeric(10, 2)), [[D("1.005"), D(2)], [D("1.01"), D("2.00")]], [[D("1.02"), D(2)], [], [None]]
    ),
    "list of padded texts": Case(ARRAY(CHAR(3)), [["a", "b"], ["a  ", "b  "]], [["a", "c"]]),
    "lists of lists": Case(ARRAY(JSON), [[{"a": 1}]], [[{"a": True}]]),
    "ranges": Case(INT4RANGE(), [Range(1, 5, bounds="[]"), Range(1, 6)], [Range(1, 7)]),
    "addresses": Case(INET(), ["10.0.0.1", "10.0.0.1/32"], ["10.0.0.0/24"]),
    "spans of a precision": Case(
        Interval(), [dt.timedelta(1, 2, 5), dt.timedelta(1, 2)], [dt.timedelta(1, 3)], "interval(0)"
    ),
    "spans of some fields": Case(
        Interval(), [dt.timedelta(1, 7200), dt.timedelta(1, 7205)], [dt.timedelta(1, 10800)], "interval day to hour"
    ),
    "a domain": Case(Numeric(), [D("1.005"), D("1.01")], [D("1.02")], "amount"),
    "the database's own enumeration": Case(Enum(Shade, name="shade"), [Shade.LIGHT], [Shade.DARK]),
}

SQLITE: dict[str, Case] = {
    "a number that is stored as a whole one": Case(JSON(), [{"n": 1}], [1, {"n": 2}]),
    "a text that becomes a number": Case(String(), ["1.0", "1", "1.00"], ["2"], "NUMERIC"),
    "a number that becomes a text": Case(Float(), [1.5], [2.5], "TEXT"),
    "digits beyond ten": Case(Numeric(), [D(1) / 3, D("0.33333333333")], [D("0.3333333334")]),
    "a case that does not count": Case(String(), ["ab"], ["AB"], "VARCHAR COLLATE NOCASE"),
    "no number": Case(Float(), [NAN, float("nan"), None], [0.0]),
    "zero below zero": Case(Float(), [0.0, -0.0], [1.0]),
    "zones, which SQLite drops": Case(
        DateTime(timezone=True), [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, tzinfo=HALF)], [ZONED]
    ),
}

CASES = {"sqlite": BOTH | SQLITE, "postgresql": BOTH | POSTGRESQL}
