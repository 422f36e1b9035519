"""SQL that the two databases write differently."""

from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from sqlalchemy import BigInteger, ColumnElement, Dialect, Double, Numeric, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Boolean, TypeDecorator, TypeEngine

Value = TypeVar("Value")

SqlColumn = ColumnElement[Any]
"""A column, or what is made of columns."""


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


class DialectFunction(GenericFunction[Value]):
    """A function of columns with a text for each database, in which `{0}` stands for the first operand."""

    postgresql: ClassVar[str]
    sqlite: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.inherit_cache = True
        super().__init_subclass__()

    def in_sqlite(self, *operands: str) -> str:
        return self.sqlite.format(*operands)


@compiles(DialectFunction)
def _(element: DialectFunction[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return element.postgresql.format(*(compiler.process(clause, **kw) for clause in element.clauses))


@compiles(DialectFunction, "sqlite")
def _(element: DialectFunction[Any], compiler: SQLCompiler, **kw: Any) -> str:
    return element.in_sqlite(*(compiler.process(clause, **kw) for clause in element.clauses))


class rounded_for_comparison(DialectFunction[Decimal]):
    """A calculated decimal as it is compared: rounded to 10 places on SQLite, which has only floats."""

    type = ExactDecimal()
    name = "afterwork_comparable"
    postgresql = "({0})"
    sqlite = "round({0}, 10)"


class quotient(DialectFunction[Decimal]):
    """A quotient of decimals, to 10 places."""

    type = ExactDecimal()
    name = "afterwork_quotient"
    postgresql = "round(CAST({0} AS numeric) / nullif(CAST({1} AS numeric), 0), 10)"
    sqlite = "round(CAST({0} AS REAL) / nullif({1}, 0), 10)"


class by_code_point(DialectFunction[str]):
    """A text compared by its code points, whatever the collation of the database."""

    name = "afterwork_by_code_point"
    postgresql = '({0} COLLATE "C")'
    sqlite = "({0} COLLATE BINARY)"


class like(DialectFunction[bool]):
    """LIKE without an escape character, and sensitive to case: on SQLite by GLOB, which has other wildcards."""

    type = Boolean()
    name = "afterwork_like"
    postgresql = "({0} LIKE {1} ESCAPE '')"
    sqlite = "({0} GLOB {1})"

    def in_sqlite(self, *operands: str) -> str:
        text, pattern = operands
        for sign, written in (("[", "[[]"), ("*", "[*]"), ("?", "[?]"), ("%", "*"), ("_", "?")):
            pattern = f"replace({pattern}, '{sign}', '{written}')"
        return super().in_sqlite(text, pattern)


class position_of(DialectFunction[int]):
    """The position of a text in another, from 1; 0 if there is none."""

    name = "afterwork_place_of"
    postgresql = "strpos({0}, {1})"
    sqlite = "instr({0}, {1})"


class ascii_lower(DialectFunction[str]):
    """A text with A to Z in lower case, and all other letters as they are."""

    name = "afterwork_ascii_lower"
    postgresql = "translate({0}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
    sqlite = "lower({0})"


class as_utc(DialectFunction[Any]):
    """A timestamp in UTC, without its time zone."""

    name = "afterwork_as_utc"
    postgresql = "({0} AT TIME ZONE 'UTC')"
    sqlite = "{0}"


class floored(DialectFunction[int]):
    """The largest whole number that is not greater. Not every SQLite has a function for it."""

    type = BigInteger()
    name = "afterwork_floored"
    postgresql = "CAST(floor({0}) AS bigint)"
    sqlite = "(SELECT CAST(x AS INTEGER) - (CAST(x AS INTEGER) > x) FROM (SELECT {0} AS x))"


class replaced(DialectFunction[str]):
    """A text with each occurrence of a part replaced; null if one of them is null.

    SQLite ignores a replacement that is null where the part is empty.
    """

    type = String()
    name = "afterwork_replaced"
    postgresql = "replace({0}, {1}, {2})"
    sqlite = "(SELECT CASE WHEN z IS NOT NULL THEN replace(x, y, z) END FROM (SELECT {0} AS x, {1} AS y, {2} AS z))"
