"""Sessions, connections and engines that report to the active recorder what a job asks them for.

The hooks stay where they have been attached, and do nothing while no recorder is active.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Pool, event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session
from sqlalchemy.sql import visitors

from afterwork.compat.sqlalchemy_session import HookedSession, hook, is_of_flush, is_shared_pool
from afterwork.derived.tracking.hidden_state import (
    ACTIVE,
    RECORDED_HANDLES,
    listen_once,
    refuse_elsewhere,
    replace_class,
)
from afterwork.derived.tracking.query.forbidden import refuse_text
from afterwork.derived.tracking.statement_selects import select_in, selects_in_options, selects_of_clauses
from afterwork.errors import ChangedForMany, ConnectionOptions, DriverConnection, OwnConnection, TextualSQL
from afterwork.store.direct_statement import own
from afterwork.store.untracked_statements import BATCH_LOAD, ROOT_LOAD, UNTRACKED

HARMLESS = {"info", "record_info", "is_valid", "is_detached", "commit", "rollback"}
"""Attributes of a driver's connection that send the database no query."""


class TrackedSession(HookedSession):
    """A session that reports lookups and statements from the beginning."""

    def look_up(self, look_up: Any, entity: Any, identity: Any, load: Any, **options: Any) -> Any:
        return _look_up(self, look_up, entity, identity, load, **options)

    def on_statement(self, given: Any, state: ORMExecuteState) -> None:
        _before_session_statement(given, state)


class TrackedConnection(Connection):
    """A connection that guards the driver's connection, and its options, while a recorder is active."""

    @property
    def connection(self) -> Any:
        driver_connection = super().connection
        if ACTIVE.get() is not None:
            return _GuardedDriverConnection(driver_connection)
        if RECORDED_HANDLES:
            refuse_elsewhere(self)
        return driver_connection

    def execution_options(self, **options: Any) -> Connection:
        if options and ACTIVE.get() is not None:
            raise ConnectionOptions()
        return super().execution_options(**options)


class _GuardedDriverConnection:
    """A driver's connection that shows only what SQLAlchemy needs while a recorder is active."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        if name not in HARMLESS and ACTIVE.get() is not None:
            raise DriverConnection()
        return getattr(self._connection, name)


def attach(session: Session) -> Collection[object]:
    """Hook a session and its connection. Doing it again changes nothing.

    Returns the tracked handles: the session's key, and its connection.
    """
    connection = session.bind if isinstance(session.bind, Connection) else session.connection()
    hook(session, _look_up, _before_session_statement)
    if not isinstance(connection, TrackedConnection):
        _attach_to_connection(connection)
    return session.hash_key, connection


def _attach_to_connection(connection: Connection) -> None:
    replace_class(connection, TrackedConnection)
    # `retval`, since SQLAlchemy would otherwise wrap the listeners in functions that `is_own` doesn't recognize.
    event.listen(connection, "before_execute", _before_execute, retval=True)
    event.listen(connection, "before_cursor_execute", _before_cursor_execute, retval=True)
    listen_once(connection.engine, "engine_connect", _refuse_connection)
    listen_once(Pool, "checkout", _refuse_checkout)  # of any engine: a job may create one that nobody knows


def _look_up(
    session: Session,
    look_up: Any,
    entity: Any,
    identity: Any,
    load: Any,
    *,
    execution_options: Any = None,
    **options: Any,
) -> Any:
    """Find an object by its key and record the lookup, also if the session has the object already."""
    execution_options = execution_options or {}
    listener = ACTIVE.get()
    if listener is None:
        refuse_elsewhere(session.hash_key)
        return look_up(entity, identity, load, execution_options=execution_options, **options)
    mapper: Mapper[Any] = inspect(entity)
    loaded = None if execution_options or any(options.values()) else listener.find_loaded(mapper, identity)
    if loaded is None:
        marked = {**execution_options, UNTRACKED: True}
        loaded = look_up(entity, identity, load, execution_options=marked, **options)
    listener.looked_up(mapper, identity, loaded)
    return loaded


def _before_session_statement(given: Any, state: ORMExecuteState) -> None:
    """Record a statement of a session. Other listeners may have replaced the one that was given."""
    listener, mark = ACTIVE.get(), state.execution_options.get(UNTRACKED)
    is_changed, is_root = state.statement is not given, mark is ROOT_LOAD and not state.is_relationship_load
    if listener is None:
        refuse_elsewhere(state.session.hash_key)
        if is_changed and not is_root and (mark is BATCH_LOAD or getattr(state.session, "loads_for_many", False)):
            raise ChangedForMany()
        return
    if is_root:
        return
    connection = state.session.connection(bind_arguments=dict(state.bind_arguments))
    # No criterion narrows the columns that an object loads later, though it hands on those it was loaded with itself.
    in_options = selects_of_clauses if state.is_column_load and not is_changed else selects_in_options
    for beside in in_options(state.statement):
        listener.before_statement(beside, {}, connection)
    if is_changed or not (state.is_relationship_load or state.is_column_load or mark is not None):
        _record(state.statement, state.parameters, connection)
    state.update_execution_options(**{UNTRACKED: True})


@own
def _before_execute(
    connection: Connection, statement: Any, multiparams: Any, params: Any, execution_options: Any
) -> tuple[Any, Any, Any]:
    if RECORDED_HANDLES and ACTIVE.get() is None:
        refuse_elsewhere(connection)
    if UNTRACKED not in execution_options and not is_of_flush(execution_options):
        _record(statement, multiparams or params, connection, entities=False)
    return statement, multiparams, params


@own
def _before_cursor_execute(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    if ACTIVE.get() is not None and context.compiled is None and context.invoked_statement is None:
        raise TextualSQL(statement)
    return statement, parameters


def _refuse_connection(connection: Connection) -> None:
    if ACTIVE.get() is not None:
        connection.close()
        raise OwnConnection()


def _refuse_checkout(connection: Any, record: Any, checked_out: Any) -> None:
    # A pool closes a connection whose checkout fails. If it is the job's own, `_refuse_connection` refuses instead.
    if ACTIVE.get() is not None and not is_shared_pool(checked_out):
        raise OwnConnection()


def _record(statement: Any, parameters: Any, connection: Connection, *, entities: bool = True) -> None:
    listener = ACTIVE.get()
    if listener is None or (query := select_in(statement)) is None:
        return
    for element in visitors.iterate(query):  # type: ignore[arg-type]
        refuse_text(element)
    is_single = isinstance(parameters, list | tuple) and len(parameters) == 1
    listener.before_statement(query, (parameters[0] if is_single else parameters) or {}, connection, entities=entities)
