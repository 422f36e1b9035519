"""Statements without parameters, as every driver takes them."""

from sqlalchemy import Connection


def execute_literally(connection: Connection, statement: str) -> None:
    """Execute a statement that has no parameters, whatever percent signs are in it.

    A driver of the format style, as psycopg is, takes them for parameters even where none are given.
    """
    is_format = connection.dialect.paramstyle in {"format", "pyformat"}
    connection.exec_driver_sql(statement.replace("%", "%%") if is_format else statement)
