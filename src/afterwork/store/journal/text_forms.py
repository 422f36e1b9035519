"""Forms: how the values of a column are written as text, by its type in the database.

Triggers write a column's text in SQL, tracking writes it in Python. Both follow the form, which `install` determines
and keeps in `afterwork_tracked_table`. So they agree to the letter, whatever type a model declares, and so do the
models of two applications, or of two releases.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EXACT_FLOAT = 2**53
"""The bound below which whole numbers equal their floats."""

FRACTION = re.compile(r"-?[0-9]+\.[0-9]+(e[+-][0-9]+)?", re.ASCII)
"""The pattern of a fractional number written by SQLite."""

BYTES = re.compile(r"X'((?:[0-9A-F]{2})*)'")
QUOTES = "'", "X'"

OTHER = "other"
"""The prefix of a form known only by how PostgreSQL writes it. The type's number follows."""


@dataclass(frozen=True)
class TextForm:
    """The spelling of values. `sql` makes the text of a column, which stands in it as `{}`; `text` makes it of a value
    as the driver gets it, and raises one of `BAD_VALUE` for a value that does not fit; `value` is the inverse. With
    `is_exact`, texts are equal wherever SQL says that the values are equal. With `is_kept`, the journal keeps the
    values of any column, else only of those by which rows belong together; with `is_text`, it keeps their beginnings.
    With `is_free`, they may contain any character. `as_key` is SQL for what Python distinguishes, if more."""

    name: str
    sql: str
    text: Callable[[Any], str]
    value: Callable[[str], Any]
    is_exact: bool = True
    is_kept: bool = False
    is_text: bool = False
    is_free: bool = False
    as_key: str | None = None

    @property
    def ignores_blanks(self) -> bool:
        """Return whether values that differ in Python by trailing blanks are equal in the database."""
        return self.as_key is not None

    def expression(self, column: str) -> str:
        """Return SQL for the whole text of a column."""
        return self.sql.replace("{}", column)

    def key(self, column: str) -> str:
        """Return SQL for the text of a column in a key."""
        return (self.as_key or self.sql).replace("{}", column)


Forms = Mapping[str, TextForm]
"""The forms of columns, by the columns' names in the database."""


def forms_of(names: Mapping[str, str], dialect: str) -> Forms:
    """Return the forms with these names, in one kind of database."""
    known = _ON_SQLITE if dialect == "sqlite" else _ON_POSTGRESQL
    return {column: known.get(name) or _other(name) for column, name in names.items()}


def is_linked(form: TextForm | None, other_form: TextForm | None) -> bool:
    """Return whether values in two forms have the same text if SQL says that they are equal."""
    if form is None or other_form is None or not (form.is_exact and other_form.is_exact):
        return False
    return form is other_form or {form.name, other_form.name} == {"integer", "numeric"}


def _whole(value: Any) -> str:
    match value:
        case int():
            return str(int(value))
        case float() | Decimal() if -EXACT_FLOAT < value < EXACT_FLOAT and value == int(value):
            return str(int(value))
        case _:
            raise ValueError(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _padded(value: Any) -> str:
    return _text(value).rstrip(" ")


def _uuid(value: Any) -> str:
    return str(uuid.UUID(str(value)))


def _truth(value: Any) -> str:
    if value not in (0, 1):
        raise ValueError(value)
    return str(int(value))


def _date(value: Any) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(value)
    return value.isoformat()


def _microseconds(value: Any) -> str:
    return str((value - EPOCH) // MICROSECOND)


def _naive_microseconds(value: Any) -> str:
    if value.tzinfo is not None:
        raise ValueError(value)
    return _microseconds(value.replace(tzinfo=UTC))


def _moment(text: str) -> datetime:
    return EPOCH + int(text) * MICROSECOND


def _naive_moment(text: str) -> datetime:
    return _moment(text).replace(tzinfo=None)


def _of_day(value: Any) -> str:
    if not isinstance(value, time) or value.tzinfo is not None:
        raise TypeError(value)
    return str((datetime.combine(EPOCH, value, UTC) - EPOCH) // MICROSECOND)


def _time(text: str) -> time:
    if int(text) >= timedelta(days=1) // MICROSECOND:
        raise ValueError(text)
    return _naive_moment(text).time()


def _decimal(value: Any) -> str:
    if not isinstance(value, int | Decimal):
        raise TypeError(value)  # SQL compares floats as floats
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _hex(value: Any) -> str:
    return bytes(getattr(value, "obj", value)).hex()  # drivers have wrappers for bytes


def _unknown(value: Any) -> str:
    raise TypeError(value)


def _by_name(*forms: TextForm) -> Mapping[str, TextForm]:
    return {form.name: form for form in forms}


_EPOCH_IN_SQL = "trunc(extract(epoch FROM {}) * 1000000)::text"

# Dates within Python's calendar are written as Python does; others by their Julian day.
_DAY_IN_SQL = (
    "CASE WHEN {} BETWEEN '0001-01-01'::date AND '9999-12-31'::date THEN to_char({}, 'YYYY-MM-DD')"
    " ELSE 'day ' || extract(julian FROM {}) END"
)

_AS_WRITTEN = "format('%s', {})"

_ON_POSTGRESQL = _by_name(
    TextForm("integer", "{}::text", _whole, int, is_kept=True),
    TextForm("boolean", "{}::int::text", _truth, lambda text: text == "1", is_kept=True),
    TextForm("text", "{}::text", _text, str, is_kept=True, is_text=True, is_free=True),
    TextForm(
        "padded",
        "rtrim({}::text)",
        _padded,
        str,
        is_kept=True,
        is_text=True,
        is_free=True,
        as_key=_AS_WRITTEN,
    ),
    TextForm("uuid", "{}::text", _uuid, uuid.UUID, is_kept=True),
    TextForm("date", _DAY_IN_SQL, _date, date.fromisoformat),
    TextForm("timestamp", _EPOCH_IN_SQL, _naive_microseconds, _naive_moment),
    TextForm("timestamptz", _EPOCH_IN_SQL, _microseconds, _moment),
    TextForm("time", _EPOCH_IN_SQL, _of_day, _time),
    TextForm("numeric", "trim_scale({})::text", _decimal, Decimal),
    TextForm("bytea", "encode({}, 'hex')", _hex, bytes.fromhex),
)


@cache
def _other(name: str) -> TextForm:
    """Return the form of a type known only by its number: as PostgreSQL writes it and the driver reads it."""
    number = int(name.removeprefix(OTHER))

    def value(text: str) -> Any:
        from psycopg.adapt import Transformer
        from psycopg.pq import Format

        return Transformer().get_loader(number, Format.TEXT).load(text.encode())

    return TextForm(name, _AS_WRITTEN, _unknown, value, is_exact=False, is_free=True)


# SQLite keeps any value in any column. Columns for numbers convert texts that look like numbers; the others compare a
# text only to texts.


# Bytes are written as `quote()` does: they never equal a text.


def _any(value: Any) -> str:
    value = getattr(value, "obj", value)
    match value:
        case bytes() | bytearray() | memoryview():
            return f"X'{value.hex().upper()}'"
        case str():
            return value
        case _:
            return _whole(value)


def _as_number(value: Any) -> str:
    text = _any(value)
    if not isinstance(value, str):
        return text
    try:
        float(value)
    except ValueError:
        return value  # no number, so SQLite leaves it a text
    if str(int(value)) != value:
        raise ValueError(value)
    return value


def _number_or_text(text: str) -> Any:
    """Return what SQLite keeps in a column for numbers, where a text that looks like a number is one."""
    if FRACTION.fullmatch(text):
        return float(text)
    try:
        number = int(text)
    except ValueError:
        return _bytes_or_text(text)
    return number if str(number) == text else text


def _bytes_or_text(text: str) -> Any:
    literal = BYTES.fullmatch(text)
    return text if literal is None else bytes.fromhex(literal[1])


def _untyped(value: Any) -> str:
    """Return a value's text in a column without a type, where a text that looks like a number is quoted."""
    if not isinstance(value, str):
        return _any(value)
    if FRACTION.fullmatch(value) or (value.isdigit() and len(value) > 18):
        raise ValueError(value)  # it depends on SQLite's spelling of that number
    is_plain = isinstance(_number_or_text(value), str) and not value.startswith(QUOTES)
    return value if is_plain else "'" + value.replace("'", "''") + "'"


def _any_untyped(text: str) -> Any:
    is_quoted = len(text) > 1 and text[0] == text[-1] == "'"
    return text[1:-1].replace("''", "'") if is_quoted else _number_or_text(text)


_PLAIN = "CASE typeof({}) WHEN 'blob' THEN quote({}) ELSE CAST({} AS TEXT) END"
_REAL = "CASE WHEN typeof({}) IN ('blob', 'real') THEN quote({}) ELSE CAST({} AS TEXT) END"
"""SQL that writes enough digits to tell a number from all others. A cast to text writes 15."""

_UNTYPED = (
    "CASE typeof({}) WHEN 'blob' THEN quote({}) WHEN 'text' THEN"
    " CASE WHEN {} IN (CAST(CAST({} AS INTEGER) AS TEXT), CAST(CAST({} AS REAL) AS TEXT))"
    " OR substr({}, 1, 1) = '''' OR substr({}, 1, 2) = 'X''' THEN quote({}) ELSE {} END"
    " WHEN 'real' THEN CASE WHEN {} = CAST({} AS INTEGER) THEN CAST(CAST({} AS INTEGER) AS TEXT)"
    " ELSE CAST({} AS TEXT) END"
    " ELSE CAST({} AS TEXT) END"
)

_ON_SQLITE = _by_name(
    TextForm("integer", _PLAIN, _as_number, _number_or_text, is_kept=True),
    TextForm("boolean", _PLAIN, _as_number, _number_or_text, is_kept=True),
    TextForm("numeric", _REAL, _as_number, _number_or_text, is_free=True),
    TextForm("text", _PLAIN, _any, _bytes_or_text, is_kept=True, is_text=True, is_free=True),
    TextForm("collated", _PLAIN, _any, _bytes_or_text, is_exact=False, is_free=True),
    TextForm("real", _REAL, _unknown, float, is_exact=False),
    TextForm("blob", _UNTYPED, _untyped, _any_untyped, is_free=True),
)
