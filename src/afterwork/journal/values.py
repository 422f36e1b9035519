"""Values as the journal has them: text that is equal where SQL says that the values are equal.

The triggers make it in SQL, tracking makes it in Python, and both must agree to the letter.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sqlalchemy import Column, Dialect, Table, bindparam
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import (
    CHAR,
    NCHAR,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    TypeDecorator,
    TypeEngine,
    Uuid,
)

from afterwork.journal.tables import LAST_CHARACTER
from afterwork.journal.watch import PART, Watch, joined

UNWATCHED = {"afterwork": "unwatched"}
"""The `info` of a column or table whose changes nobody needs to know."""

NUMERIC = 1700
"""PostgreSQL's number for the type of decimals, the only one of which SQLAlchemy asks what the driver makes."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DIGITS = Context(prec=2000)


@dataclass(frozen=True)
class Form:
    """How the values of a type are written. `text` makes it of a value as the driver gets it, `value` the other way
    round; `sql` makes it of a column, which stands in it as `{}`. `valued` says that the journal keeps the values of
    such columns, `cut` that it does so up to a certain character."""

    text: Callable[[Any], str]
    value: Callable[[str], Any]
    sql: str
    valued: bool = False
    cut: bool = False

    def expression(self, column: str) -> str:
        """SQL for the whole text of a column."""
        return self.sql.replace("{}", column)


def is_unwatched(thing: Column[Any] | Table) -> bool:
    """Whether a column or table is left out of capture."""
    return bool(thing.info.get("afterwork") == "unwatched")


def watched_columns(table: Table) -> list[Column[Any]]:
    """The columns whose changes are captured. Those of the primary key are in any case."""
    return [column for column in table.columns if column.primary_key or not is_unwatched(column)]


def is_valued(column: Column[Any], dialect: Dialect) -> bool:
    """Whether the journal keeps the values of a column."""
    form = form_of(column, dialect)
    return form is not None and form.valued and (column.primary_key or not is_unwatched(column))


def text_of(column: Column[Any], value: object, dialect: Dialect) -> str | None:
    """The text that the journal has for a value of a valued column, given as its attribute has it. None for null.

    Raises `ValueError` for a column that is not valued.
    """
    form = form_of(column, dialect)
    if form is None or not form.valued:
        raise ValueError(f"The journal keeps no values of {column}.")
    text = _text(form, column, value, dialect)
    if text is None or not form.cut:
        return text
    if dialect.name == "sqlite":
        text = text.partition("\0")[0]  # where substr() ends
    return text[:LAST_CHARACTER]


def key_of(watch: Watch, values: Sequence[object], dialect: Dialect) -> int | str | None:
    """The journal's key of the row with this primary key, given as the attributes have it. None where the journal has
    no keys: the table has no primary key, or one of a type for which there is no text."""
    forms = _key_forms(watch.table, dialect)
    if not forms:
        return None
    texts = [_text(form, column, value, dialect) for (column, form), value in zip(forms, values, strict=True)]
    if watch.has_number_key:
        return None if texts[0] is None else int(texts[0])
    return joined(texts)


def identity_of(watch: Watch, key: int | str, dialect: Dialect) -> tuple[Any, ...]:
    """The primary key, as the attributes have it, of the row with this key in the journal."""
    forms = _key_forms(watch.table, dialect)
    parts = [str(key)] if len(forms) == 1 else str(key).split(PART)
    return tuple(_value(form, column, part, dialect) for (column, form), part in zip(forms, parts, strict=True))


def value_sql(column: Column[Any], reference: str, dialect: Dialect) -> str:
    """SQL for the text that the journal has for a valued column, which SQL refers to as `reference`."""
    form = form_of(column, dialect)
    if form is None or not form.valued:
        raise ValueError(f"The journal keeps no values of {column}.")
    text = form.expression(reference)
    if not form.cut:
        return text
    return f"substr({text}, 1, {LAST_CHARACTER})"


def key_sql(table: Table, references: Sequence[str], dialect: Dialect) -> str | None:
    """SQL for the text of a table's key, of which SQL refers to the columns as `references`. None if there is none."""
    forms = _key_forms(table, dialect)
    if not forms:
        return None
    parts = [form.expression(reference) for (_, form), reference in zip(forms, references, strict=True)]
    if len(parts) == 1:
        return parts[0]
    separator = "char(31)" if dialect.name == "sqlite" else "chr(31)"
    return f" || {separator} || ".join(parts)


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def form_of(column: Column[Any], dialect: Dialect) -> Form | None:
    """How the values of a column are written; None if they can't be."""
    if column.type.bind_expression(bindparam("value")) is not None:
        return None  # SQL of the type's own stands between the value and what is stored
    kind = _plain_type(column.type, dialect)
    sqlite = dialect.name == "sqlite"
    match kind:
        case Boolean() | Integer() | Uuid():
            return _form_of_number(kind, dialect)
        case CITEXT() | String(collation=str()):
            return None
        case CHAR() | NCHAR():
            return Form(lambda value: str(value).rstrip(" "), str, "rtrim({})" if sqlite else "rtrim({}::text)")
        case String():
            return Form(str, str, "{}" if sqlite else "{}::text", valued=True, cut=True)
        case _:
            return _form_in_sqlite(kind) if sqlite else _form_in_postgresql(kind)


def _plain_type(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """The type of a column in the database, without what Python makes of it. Not the dialect's own version of the type,
    which may have forgotten what it was: CHAR is any string then."""
    kind = kind._variant_mapping.get(dialect.name, kind)
    return _plain_type(kind.load_dialect_impl(dialect), dialect) if isinstance(kind, TypeDecorator) else kind


def _form_of_number(kind: Boolean | Integer | Uuid[Any], dialect: Dialect) -> Form:
    plain = "CAST({} AS TEXT)" if dialect.name == "sqlite" else "{}::text"
    match kind:
        case Boolean() if dialect.name == "sqlite":
            return Form(_number, int, plain, valued=True)
        case Boolean():
            return Form(_number, lambda text: text == "1", "{}::int::text", valued=True)
        case Integer():
            return Form(_number, int, plain, valued=True)
        case _:
            native = dialect.supports_native_uuid and kind.native_uuid
            text, value = (_canonical, uuid.UUID) if native else (str, str)
            return Form(text, value, plain, valued=True)


# The text of other types serves to tell rows, but not to compare values as SQL does.


def _form_in_sqlite(kind: TypeEngine[Any]) -> Form | None:
    match kind:
        case DateTime() | Date():
            return Form(str, str, "{}")  # texts already
        case LargeBinary():
            return Form(_hex, bytes.fromhex, "lower(hex({}))")
        case _:
            return None


def _form_in_postgresql(kind: TypeEngine[Any]) -> Form | None:
    match kind:
        case DateTime():
            read = _moment if kind.timezone else _naive_moment
            return Form(_microseconds, read, "trunc(extract(epoch FROM {}) * 1000000)::text")
        case Date():
            return Form(lambda value: str(value.isoformat()[:10]), date.fromisoformat, "to_char({}, 'YYYY-MM-DD')")
        case LargeBinary():
            return Form(_hex, bytes.fromhex, "encode({}, 'hex')")
        case Numeric() if not isinstance(kind, Float):
            scale = kind.scale
            return Form(lambda value: _plain(value, scale), Decimal, "trim_scale({})::text")
        case _:
            return None


def _key_forms(table: Table, dialect: Dialect) -> list[tuple[Column[Any], Form]]:
    """The columns of the key, each with its form. Empty if there is no key, or one that can't be written."""
    forms = [(column, form_of(column, dialect)) for column in table.primary_key.columns]
    found = [(column, form) for column, form in forms if form is not None]
    return found if len(found) == len(forms) else []


def _text(form: Form, column: Column[Any], value: object, dialect: Dialect) -> str | None:
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    bound = value if process is None else process(value)
    return None if bound is None else form.text(bound)


def _value(form: Form, column: Column[Any], text: str, dialect: Dialect) -> Any:
    process = column.type.dialect_impl(dialect).result_processor(dialect, NUMERIC)
    value = form.value(text)
    return value if process is None else process(value)


def _number(value: Any) -> str:
    return str(int(value))


def _canonical(value: Any) -> str:
    return str(uuid.UUID(str(value)))


def _microseconds(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return str((aware - EPOCH) // MICROSECOND)


def _moment(text: str) -> datetime:
    return EPOCH + int(text) * MICROSECOND


def _naive_moment(text: str) -> datetime:
    return _moment(text).replace(tzinfo=None)


def _hex(value: Any) -> str:
    return bytes(getattr(value, "obj", value)).hex()  # drivers have wrappers for bytes


def _plain(value: Any, scale: int | None) -> str:
    number = Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(value)
    if scale is not None and number.is_finite():
        number = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, DIGITS)
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
