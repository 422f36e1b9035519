"""Values and keys as the journal has them: texts, by the form of each column.

The triggers make them in SQL, tracking makes them in Python, and both must agree to the letter.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sqlalchemy import Column, Dialect, Table, bindparam

from afterwork.store.journal.tables import LAST_CHARACTER
from afterwork.store.journal.text_forms import Forms, TextForm
from afterwork.store.journal.tracked_table import NULL, PART, TrackedTable
from afterwork.store.journal.unwatched import is_unwatched

BAD_VALUE = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""The exceptions of a type for a value that is not its own."""

NUMERIC = 1700
"""PostgreSQL's number for decimals, the only type for which SQLAlchemy asks what the driver makes."""

DIGITS = Context(prec=2000)

ESCAPED = (("\x1e", "\x1e0"), (PART, "\x1e1"))
"""The escapes of characters that have a meaning between the parts of a key."""


def captured_columns(table: Table) -> list[Column[Any]]:
    """Return the columns whose changes are captured, always including those of the primary key."""
    return [column for column in table.columns if column.primary_key or not is_unwatched(column)]


def is_valued(column: Column[Any], forms: Forms) -> bool:
    """Return whether the journal keeps the values of a column."""
    form = forms.get(column.name)
    is_link = column.primary_key or bool(column.foreign_keys)
    return form is not None and form.is_exact and (form.is_kept or is_link)


def text_of(tracked_table: TrackedTable, name: str, value: object, dialect: Dialect) -> str | None:
    """Return the journal's text for a value, given as its attribute has it, of the named column. None for null.

    Raises one of `BAD_VALUE` if the journal has no such text, or none that tells what SQL takes for equal.
    """
    if not tracked_table.is_asked(name):
        raise ValueError(f"The journal keeps no values of {name}.")
    form = tracked_table.forms[name]
    text = _text(form, tracked_table.column(name), value, dialect)
    if text is not None and dialect.name == "sqlite":
        text = text.partition("\0")[0]  # printf() ends there
    return text[:LAST_CHARACTER] if text is not None and form.is_text else text


def key_of(tracked_table: TrackedTable, values: Sequence[object], dialect: Dialect) -> int | str | None:
    """Return the journal's key of the row with this primary key, given as the attributes have it. Return None if it
    can't be determined: the table has no primary key, or one of a type with several texts for a value.

    Raises one of `BAD_VALUE` for values that the columns can't have.
    """
    if not tracked_table.has_sure_key:
        return None
    forms = _key_forms(tracked_table)
    parts = [_text(form, column, value, dialect) for (column, form), value in zip(forms, values, strict=True)]
    if len(parts) > 1:
        return PART.join(NULL if part is None else _escaped(part) for part in parts)
    (part,) = parts
    return _number(part) if tracked_table.has_number_key else part


def identity_of(tracked_table: TrackedTable, key: int | str, dialect: Dialect) -> tuple[Any, ...]:
    """Return the primary key, as the attributes have it, of the row with this key in the journal.

    Raises for a key that the model can't read, whatever its types raise.
    """
    forms = _key_forms(tracked_table)
    parts = [str(key)] if len(forms) == 1 else [_part(part) for part in str(key).split(PART)]
    return tuple(_value(form, column, part, dialect) for (column, form), part in zip(forms, parts, strict=True))


def value_of(tracked_table: TrackedTable, name: str, text: str, dialect: Dialect) -> object:
    """Return a column's value, as the attribute has it, for a text of the journal.

    Raises for one that the model can't read, whatever its types raise.
    """
    return _value(tracked_table.forms[name], tracked_table.column(name), text, dialect)


def is_written_otherwise(tracked_table: TrackedTable, key: int | str, dialect: Dialect) -> bool | None:
    """Return whether the model spells a primary key differently from the journal, so that it would not find the row.
    None if only the database can tell; False also for a key that can't be read."""
    if tracked_table.has_certain_key:
        return False
    try:
        identity = identity_of(tracked_table, key, dialect)
    except Exception:  # whatever a type raises
        return False
    try:
        written = key_of(tracked_table, identity, dialect)
    except Exception:  # as above
        return None
    if written is not None and _unpadded(tracked_table, written) == _unpadded(tracked_table, key):
        return False
    # The model may round where the database does not.
    return None if written is None or any(form.name == "numeric" for _, form in _key_forms(tracked_table)) else True


def _unpadded(tracked_table: TrackedTable, key: int | str) -> list[str]:
    """Return the parts of a key without the spaces that a column adds."""
    parts = zip(_key_forms(tracked_table), str(key).split(PART), strict=False)
    return [part.rstrip(" ") if form.name == "padded" else part for (_, form), part in parts]


def is_read_by_types(tracked_table: TrackedTable, dialect: Dialect) -> bool:
    """Return whether Python's types convert what they read of a key, so that several keys may become the same value."""
    return tracked_table.has_sure_key and any(_reader(column, dialect) is not None for column in tracked_table.key)


def other_key(tracked_table: TrackedTable, key: int | str, dialect: Dialect) -> int | str | None:
    """Return the key of the object that the model finds in the row with this key. None if it can't read the key."""
    try:
        return key_of(tracked_table, identity_of(tracked_table, key, dialect), dialect)
    except Exception:  # whatever a type raises
        return None


def value_sql(form: TextForm, reference: str) -> str:
    """Return SQL for the journal's text of a value in a form; `reference` is the value in SQL."""
    text = form.expression(reference)
    return f"substr({text}, 1, {LAST_CHARACTER})" if form.is_text else text


def key_sql(forms: Sequence[TextForm], references: Sequence[str], dialect: Dialect) -> str:
    """Return SQL for the text of a key whose columns have these forms; `references` are the columns in SQL."""
    parts = [form.key(reference) for form, reference in zip(forms, references, strict=True)]
    if len(parts) == 1:
        return parts[0]
    char = "char" if dialect.name == "sqlite" else "chr"
    parts = [_escaped_in_sql(part, char) if form.is_free else part for part, form in zip(parts, forms, strict=True)]
    if dialect.name == "sqlite":  # the only one whose keys can be null
        parts = [f"coalesce({part}, char(0))" for part in parts]
    return f" || {char}(31) || ".join(parts)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def full_name(table: Table) -> str:
    """Return the name of a table, with its schema if it has one, as quoted in SQL."""
    return ".".join(quoted(name) for name in (table.schema, table.name) if name)


def _key_forms(tracked_table: TrackedTable) -> list[tuple[Column[Any], TextForm]]:
    return [(column, tracked_table.forms[column.name]) for column in tracked_table.key]


def _text(form: TextForm, column: Column[Any], value: object, dialect: Dialect) -> str | None:
    if column.type.bind_expression(bindparam("value")) is not None:
        raise ValueError(f"SQL of the type's own stands between a value of {column} and what is stored.")
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    bound = value if process is None else process(value)
    return None if bound is None else form.text(_rounded(bound, getattr(column.type, "scale", None)))


def _rounded(value: Any, scale: int | None) -> Any:
    """Return a number as a column with this scale keeps it."""
    is_cut = isinstance(value, Decimal) and value.is_finite() and scale is not None
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, DIGITS) if is_cut else value  # type: ignore[operator]


def _value(form: TextForm, column: Column[Any], text: str | None, dialect: Dialect) -> Any:
    process = _reader(column, dialect)
    value = None if text is None else form.value(text)
    return value if process is None else process(value)


def _reader(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).result_processor(dialect, NUMERIC)


def _number(text: str | None) -> int | str | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return text  # SQLite keeps other things in columns for numbers, too


def _escaped(part: str) -> str:
    for plain, escaped in ESCAPED:
        part = part.replace(plain, escaped)
    return part


def _part(text: str) -> str | None:
    if text == NULL:
        return None
    for plain, escaped in reversed(ESCAPED):
        text = text.replace(escaped, plain)
    return text


def _escaped_in_sql(part: str, char: str) -> str:
    for plain, escaped in ESCAPED:
        part = f"replace({part}, {char}({ord(plain)}), {char}({ord(escaped[0])}) || '{escaped[1]}')"
    return part
