"""SQL that the two databases write differently."""

from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Dialect, Double, Numeric, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine


class ExactDecimal(TypeDecorator[Decimal]):
    """The type of decimals in expressions: `numeric` on PostgreSQL, floats on SQLite, which has nothing better."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Double() if dialect.name == "sqlite" else Numeric())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(round(value, 10) if isinstance(value, float) else value))


class rounded_for_comparison(GenericFunction[Decimal]):
    """A calculated decimal as it is compared: rounded to 10 places on SQLite, which has only floats."""

    type = ExactDecimal()
    name = "afterwork_settled"
    inherit_cache = True


class quotient(GenericFunction[Decimal]):
    """A quotient of decimals, to 10 places."""

    type = ExactDecimal()
    name = "afterwork_quotient"
    inherit_cache = True


class by_code_point(GenericFunction[str]):
    """A text compared by its code points, whatever the collation of the database."""

    name = "afterwork_by_code_point"
    inherit_cache = True


class like(GenericFunction[bool]):
    """LIKE without an escape character, and sensitive to case."""

    type = Boolean()
    name = "afterwork_like"
    inherit_cache = True


class position_of(GenericFunction[int]):
    """The position of a text in another, from 1; 0 if there is none."""

    name = "afterwork_place_of"
    inherit_cache = True


class ascii_lower(GenericFunction[str]):
    """A text with A to Z in lower case, and all other letters as they are."""

    name = "afterwork_ascii_lower"
    inherit_cache = True


class as_utc(GenericFunction[Any]):
    """A timestamp in UTC, without its time zone."""

    name = "afterwork_as_utc"
    inherit_cache = True


class floored(GenericFunction[int]):
    """The largest whole number that is not greater. Not every SQLite has a function for it."""

    type = BigInteger()
    name = "afterwork_floored"
    inherit_cache = True


class replaced(GenericFunction[str]):
    """A text with each occurrence of a part replaced; null if one of them is null."""

    type = String()
    name = "afterwork_replaced"
    inherit_cache = True


def _compiled(element: Any, compiler: SQLCompiler, **kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(rounded_for_comparison)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_compiled(element, compiler, **kw)[0]})"


@compiles(rounded_for_comparison, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"round({_compiled(element, compiler, **kw)[0]}, 10)"


@compiles(quotient)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    left, right = _compiled(element, compiler, **kw)
    return f"round(CAST({left} AS numeric) / nullif(CAST({right} AS numeric), 0), 10)"


@compiles(quotient, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    left, right = _compiled(element, compiler, **kw)
    return f"round(CAST({left} AS REAL) / nullif({right}, 0), 10)"


@compiles(by_code_point)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f'({_compiled(element, compiler, **kw)[0]} COLLATE "C")'


@compiles(by_code_point, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_compiled(element, compiler, **kw)[0]} COLLATE BINARY)"


@compiles(like)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    text, pattern = _compiled(element, compiler, **kw)
    return f"({text} LIKE {pattern} ESCAPE '')"


@compiles(like, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """Use GLOB, which is sensitive to case, unlike SQLite's LIKE, but has other wildcards."""
    text, pattern = _compiled(element, compiler, **kw)
    for sign, written in (("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?")):
        pattern = f"replace({pattern}, '{sign}', '{written}')"
    return f"({text} GLOB {pattern})"


@compiles(position_of)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return "strpos({}, {})".format(*_compiled(element, compiler, **kw))


@compiles(position_of, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return "instr({}, {})".format(*_compiled(element, compiler, **kw))


@compiles(ascii_lower)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return f"translate({_compiled(element, compiler, **kw)[0]}, '{capitals}', '{capitals.lower()}')"


@compiles(ascii_lower, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"lower({_compiled(element, compiler, **kw)[0]})"


@compiles(as_utc)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"({_compiled(element, compiler, **kw)[0]} AT TIME ZONE 'UTC')"


@compiles(as_utc, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return _compiled(element, compiler, **kw)[0]


@compiles(floored)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return f"CAST(floor({_compiled(element, compiler, **kw)[0]}) AS bigint)"


@compiles(floored, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    (number,) = _compiled(element, compiler, **kw)
    return f"(SELECT CAST(x AS INTEGER) - (CAST(x AS INTEGER) > x) FROM (SELECT {number} AS x))"


@compiles(replaced)
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return "replace({}, {}, {})".format(*_compiled(element, compiler, **kw))


@compiles(replaced, "sqlite")
def _(element: ColumnElement[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """Test the replacement for null: SQLite ignores it where the part is empty."""
    text, old, new = _compiled(element, compiler, **kw)
    given = f"(SELECT {text} AS x, {old} AS y, {new} AS z)"
    return f"(SELECT CASE WHEN z IS NOT NULL THEN replace(x, y, z) END FROM {given})"
