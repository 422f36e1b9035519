"""Statements as texts with their values in them, for triggers, which take no parameters.

SQLAlchemy 2.1 forgets that values are asked for as literals where SQLite compares with IS and IS NOT.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteDialect
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement


class _LiteralSQLiteCompiler(SQLiteCompiler):
    def visit_is_distinct_from_binary(self, binary: Any, operator: Any, **options: Any) -> str:
        return f"{self.process(binary.left, **options)} IS NOT {self.process(binary.right, **options)}"

    def visit_is_not_distinct_from_binary(self, binary: Any, operator: Any, **options: Any) -> str:
        return f"{self.process(binary.left, **options)} IS {self.process(binary.right, **options)}"


class _LiteralSQLite(SQLiteDialect):
    statement_compiler = _LiteralSQLiteCompiler
    supports_statement_cache = True


_DIALECTS: Mapping[str, Dialect] = {
    # With this style, no percent sign is doubled for a driver.
    "sqlite": _LiteralSQLite(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="named"),  # type: ignore[no-untyped-call]
}


def as_literal_sql(statement: ClauseElement, dialect: str) -> str:
    """Return a statement as a text without parameters. Raises `CompileError` if it has a value that can't be a
    literal."""
    compiled = statement.compile(dialect=_DIALECTS[dialect], compile_kwargs={"literal_binds": True})
    left = getattr(compiled, "bind_names", {})
    if left:
        raise CompileError(f"{', '.join(map(str, left.values()))} can't be written as a literal")
    return str(compiled)
