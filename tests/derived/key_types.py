"""All types that a database can have for a key, and how keys are written by them."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    REAL,
    BigInteger,
    Date,
    DateTime,
    Engine,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import CIDR, CITEXT, DATERANGE, DOMAIN, INET, INT4RANGE, MONEY, NUMRANGE, Range

from tests.capture.column_types import Cents, DayAsText, Guid, Numbered, Plate, PlateAsText, Reversed


@dataclass(frozen=True)
class Key:
    """A type, and how the key with a number is written by it. `is_exact` says that rows can be asked for by it."""

    kind: Any
    of: Callable[[int], Any]
    is_exact: bool = True


ON_BOTH: dict[str, Key] = {
    "whole": Key(Integer(), lambda n: n),
    "large": Key(BigInteger(), lambda n: -(2**62) + n),
    "text": Key(String(20), lambda n: f"k{n}"),
    "text_that_looks_like_a_number": Key(String(20), lambda n: f"00{n}"),
    "padded": Key(CHAR(5), lambda n: f"k{n}"),
    "reversed": Key(Reversed(20), lambda n: f"k{n}"),
    "unique_id": Key(Uuid(), lambda n: uuid.UUID(int=n)),
    "unique_id_as_text": Key(Uuid(native_uuid=False), lambda n: uuid.UUID(int=n)),
    "guid": Key(Guid(), lambda n: uuid.UUID(int=n)),
    "day_as_text": Key(DayAsText(20), lambda n: date(2026, 1, n)),
    "cents": Key(Cents(), lambda n: Decimal(n) / 4),
    "numbered": Key(Numbered(20), lambda n: n),
    "plate": Key(PlateAsText(20), lambda n: Plate("S", n)),
    "day": Key(Date(), lambda n: date(2026, 1, n)),
    "moment": Key(DateTime(), lambda n: datetime(2026, 1, n, 12, 30, 0, n)),
    "time": Key(Time(), lambda n: time(n, 30, 0, 5)),
    "number": Key(Numeric(10, 2), Decimal),
    "bytes": Key(LargeBinary(), lambda n: bytes((255, n))),
    "choice": Key(Enum("k1", "k2", "k3", name="choice"), lambda n: f"k{n}"),
}

ON_SQLITE: dict[str, Key] = {
    "fraction": Key(Numeric(10, 2), lambda n: Decimal(n) / 4, is_exact=False),
    "real": Key(REAL(), lambda n: n / 3, is_exact=False),
    "real_or_whole": Key(Numeric(asdecimal=False), lambda n: n / 3, is_exact=False),
    "folded": Key(String(20, collation="NOCASE"), lambda n: f"K{n}", is_exact=False),
    "trimmed": Key(String(20, collation="RTRIM"), lambda n: f"k{n} ", is_exact=False),
}

ON_POSTGRESQL: dict[str, Key] = {
    "fraction": Key(Numeric(10, 2), lambda n: Decimal(n) / 4),
    "zoned": Key(DateTime(timezone=True), lambda n: datetime(2026, 1, n, tzinfo=UTC)),
    "domain": Key(DOMAIN("code", String(8)), lambda n: f"k{n}"),
    "domain_of_numbers": Key(DOMAIN("whole", Integer()), lambda n: n),
    "folded": Key(CITEXT(), lambda n: f"K{n}", is_exact=False),
    "real": Key(Float(53), lambda n: n / 3, is_exact=False),
    "numeric_as_float": Key(Numeric(asdecimal=False), lambda n: n / 4, is_exact=False),
    "span": Key(Interval(), lambda n: timedelta(days=n, microseconds=5), is_exact=False),
    "money": Key(MONEY(), lambda n: f"${n}.50", is_exact=False),
    "range": Key(INT4RANGE(), lambda n: Range(n, n + 1), is_exact=False),
    "range_of_days": Key(DATERANGE(), lambda n: Range(date(2026, 1, n), None), is_exact=False),
    "range_of_numbers": Key(NUMRANGE(), lambda n: Range(Decimal(n), Decimal(n) + 1, bounds="(]"), is_exact=False),
    "address": Key(INET(), lambda n: f"10.0.0.{n}/24", is_exact=False),
    "network": Key(CIDR(), lambda n: f"10.0.{n}.0/24", is_exact=False),
    "list": Key(ARRAY(Integer, as_tuple=True), lambda n: (n, n + 1), is_exact=False),
}


def each(name: str, **cases: Mapping[str, Any]) -> pytest.MarkDecorator:
    """A test of each of the cases of a kind of database."""
    params = [pytest.param(url, found[case], id=f"{url}-{case}") for url, found in cases.items() for case in found]
    return pytest.mark.parametrize(("url", name), params, indirect=["url"])


def create_type(engine: Engine, kind: Any) -> None:
    """Create what a type needs that does not come with its table."""
    if isinstance(kind, CITEXT):
        with engine.begin() as connection:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS citext"))
