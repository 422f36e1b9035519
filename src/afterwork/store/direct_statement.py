"""Statements that are sent straight to the driver, because each single job needs them.

In a process that has just been woken, SQLAlchemy takes as long to execute a statement as the database does, and most of
what it determines is the same each time. So it is determined once: the text, and the conversions of values on their way
in and out. If anybody listens to statements or has them logged, SQLAlchemy executes them, so that all are seen. The
errors are SQLAlchemy's in any case.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import TextualSelect, UpdateBase
from sqlalchemy.types import TypeEngine

LISTENED_TO = ("before_execute", "after_execute", "before_cursor_execute", "after_cursor_execute")

Processor = Callable[[Any], Any]
Listener = TypeVar("Listener", bound=Callable[..., object])

OWN = "_afterwork_listens"


def own(listener: Listener) -> Listener:
    """Mark one of Afterwork's own listeners, which need not hear of statements sent directly."""
    setattr(listener, OWN, True)
    return listener


def is_own(listener: Callable[..., object]) -> bool:
    """Return whether a listener is marked as Afterwork's own."""
    return getattr(listener, OWN, False)


class DirectStatement:
    """A statement that is built once and sent again and again."""

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def execute(self, connection: Connection, values: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Send the statement with the values of its parameters. Return its rows, if any."""
        if not _is_for_sqlalchemy(connection) and (compiled := self._compiled_for(connection)).is_final:
            return compiled.execute(connection, values or {})
        result = connection.execute(self.statement, values)
        return result.all() if result.returns_rows else []

    def change(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Send the statement with the values of its parameters. Return the number of changed rows."""
        if not _is_for_sqlalchemy(connection) and (compiled := self._compiled_for(connection)).is_final:
            return compiled.change(connection, values)
        return connection.execute(self.statement, values).rowcount

    def change_each(self, connection: Connection, values: Sequence[Mapping[str, Any]]) -> int:
        """Send the statement once for each set of values, all in one go. Return the number of changed rows."""
        if not _is_for_sqlalchemy(connection) and (compiled := self._compiled_for(connection)).is_final:
            return compiled.change_each(connection, values)
        return connection.execute(self.statement, list(values)).rowcount

    def _compiled_for(self, connection: Connection) -> "_Compiled":
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _Compiled(self.statement, dialect)
        return self._compiled[dialect.name]


def send_together(connection: Connection, *statements: str) -> Any:
    """Send statements without parameters in one go, in a transaction that the first may begin. Return the first value
    of the last one's result."""
    if not connection.in_transaction():
        connection.begin()
    if _is_for_sqlalchemy(connection):
        results = [connection.exec_driver_sql(statement) for statement in statements]
        return results[-1].scalar() if results[-1].returns_rows else None
    driver: Any = connection.connection.dbapi_connection
    together = "; ".join(statements)
    try:
        cursor = driver.execute(together, prepare=False)  # several can't be prepared
        while cursor.nextset():
            pass
        row = None if cursor.description is None else cursor.fetchone()
    except connection.dialect.loaded_dbapi.Error as error:
        raise as_sqlalchemy_does(connection, together, {}, error) from error
    return None if row is None else row[0]


class _Compiled:
    """A statement in the driver's form."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        # Parameters by name, as in psycopg: SQLAlchemy's default for SQLite is by position.
        kind: Any = type(dialect)
        named = kind(paramstyle="named") if dialect.name == "sqlite" else dialect
        compiled: Any = statement.compile(dialect=named)  # type: ignore[attr-defined]
        self._text = str(compiled)
        self.is_final = not compiled.post_compile_params
        """Return whether the text is the same for all values, which a list parameter prevents."""
        self._fixed = dict(compiled.params)
        processors = {
            name: _impl(bind.type, dialect).bind_processor(dialect) for bind, name in compiled.bind_names.items()
        }
        self._write = {name: processor for name, processor in processors.items() if processor is not None}
        self._columns = _result_columns(statement)
        # It is repeated: after five executions PostgreSQL makes a generic plan. By default, psycopg waits for five
        # more.
        self._how = {"prepare": True} if dialect.driver == "psycopg" else {}
        self._read: list[tuple[int, Processor]] | None = None

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        rows, cursor = self._send(connection, values)
        if self._read is None:
            self._read = self._readers(connection.dialect, cursor)
        return self._processed(rows, self._read) if self._read else rows

    def change(self, connection: Connection, values: Mapping[str, Any]) -> int:
        _, cursor = self._send(connection, values)
        return int(cursor.rowcount)

    def change_each(self, connection: Connection, values: Sequence[Mapping[str, Any]]) -> int:
        parameters = [self._parameters(each) for each in values]
        driver: Any = connection.connection.dbapi_connection
        try:
            cursor = driver.cursor()
            cursor.executemany(self._text, parameters)
            return int(cursor.rowcount)
        except connection.dialect.loaded_dbapi.Error as error:
            raise as_sqlalchemy_does(connection, self._text, parameters[0], error) from error

    def _parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        parameters = {**self._fixed, **values}
        for name, write in self._write.items():
            parameters[name] = write(parameters[name])
        return parameters

    def _send(self, connection: Connection, values: Mapping[str, Any]) -> tuple[list[Any], Any]:
        parameters = self._parameters(values)
        driver: Any = connection.connection.dbapi_connection
        try:
            cursor = driver.execute(self._text, parameters, **self._how)
            return cursor.fetchall() if cursor.description is not None else [], cursor
        except connection.dialect.loaded_dbapi.Error as error:
            raise as_sqlalchemy_does(connection, self._text, parameters, error) from error

    def _readers(self, dialect: Dialect, cursor: Any) -> list[tuple[int, Processor]]:
        readers = (
            (position, _impl(column.type, dialect).result_processor(dialect, cursor.description[position][1]))
            for position, column in enumerate(self._columns)
        )
        return [(position, reader) for position, reader in readers if reader is not None]

    def _processed(self, rows: Sequence[Sequence[Any]], readers: Sequence[tuple[int, Processor]]) -> list[list[Any]]:
        changed = [list(row) for row in rows]
        for row in changed:
            for place, reader in readers:
                row[place] = reader(row[place])
        return changed


def _result_columns(statement: Executable) -> list[Any]:
    """Return the result columns of a select, or of a statement that writes and returns rows."""
    match statement:
        case Select():
            return list(statement.selected_columns)
        case UpdateBase():
            return list(statement.exported_columns)
        case TextualSelect():
            return list(statement.selected_columns)
        case _:
            return []


def _impl(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return kind.dialect_impl(dialect)


def _is_for_sqlalchemy(connection: Connection) -> bool:
    """Return whether somebody listens to statements, has them logged, has their tables renamed, or must await them."""
    heard = (listener for event in LISTENED_TO for listener in getattr(connection.dispatch, event))
    return (
        not all(map(is_own, heard))
        or connection.engine.logger.isEnabledFor(logging.INFO)
        or bool(connection.get_execution_options().get("schema_translate_map"))
        or connection.dialect.is_async
    )


def as_sqlalchemy_does(connection: Connection, text: str, parameters: Mapping[str, Any], error: Exception) -> Exception:
    """Return the driver's error as SQLAlchemy wraps it; if the connection is gone, tell SQLAlchemy."""
    lost = connection.dialect.is_disconnect(error, connection.connection.dbapi_connection, None)  # type: ignore[arg-type]
    if lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        text,
        dict(parameters),
        error,
        connection.dialect.loaded_dbapi.Error,
        hide_parameters=connection.engine.hide_parameters,
        connection_invalidated=lost,
        dialect=connection.dialect,
    )
