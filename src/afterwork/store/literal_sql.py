"""Statements without parameters, as every driver takes them, and texts in them."""

from typing import Any

from sqlalchemy import Connection, CursorResult


def execute_literally(connection: Connection, statement: str) -> CursorResult[Any]:
    """Execute a statement that has no parameters, whatever percent signs are in it.

    A driver of the format style, as psycopg is, takes them for parameters even where none are given.
    """
    is_format = connection.dialect.paramstyle in {"format", "pyformat"}
    return connection.exec_driver_sql(statement.replace("%", "%%") if is_format else statement)


def dollar_quoted(content: str) -> str:
    """Return a text quoted in the SQL of PostgreSQL, even if it has what looks like the closing quote."""
    tag = "$afterwork$"
    while tag in content + tag[:-1]:  # also where it would begin in the content and end in the closing quote
        tag = f"{tag[:-1]}_$"
    return f"{tag}{content}{tag}"
