"""Noticing what a job asks its session, its connection and its engine for.

The listeners stay where they have been attached, and do nothing while no recorder is active.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from sqlalchemy import Connection, Pool, StaticPool, event, inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.sql import visitors
from sqlalchemy.util import LRUCache

from afterwork.derived.tracking.hidden_state import ACTIVE, RECORDED_HANDLES, refuse_elsewhere
from afterwork.derived.tracking.query.forbidden import refuse_text
from afterwork.derived.tracking.statement_selects import select_in, selects_in_options
from afterwork.errors import ChangedForMany, ConnectionOptions, DriverConnection, OwnConnection, TextualSQL
from afterwork.store.direct import own
from afterwork.store.untracked_statements import BATCH_LOAD, ROOT_LOAD, UNTRACKED


class TrackedSession(Session):
    """A session that tells the active recorder what it is asked for, from the beginning."""

    def _get_impl(self, entity: Any, primary_key_identity: Any, db_load_fn: Any, **options: Any) -> Any:
        return _get(self, super()._get_impl, entity, primary_key_identity, db_load_fn, **options)

    def _execute_internal(self, statement: Any, params: Any = None, *, _add_event: Any = None, **options: Any) -> Any:
        return _execute(super()._execute_internal, statement, params, _add_event=_add_event, **options)


class TrackedConnection(Connection):
    """A connection that tells the active recorder what it is asked for, and keeps the driver's own connection to itself
    while one is active."""

    @property
    def connection(self) -> Any:
        found = super().connection
        if ACTIVE.get() is not None:
            return _Kept(found)
        if RECORDED_HANDLES:
            refuse_elsewhere(self)
        return found

    def execution_options(self, **options: Any) -> Connection:
        if options and ACTIVE.get() is not None:
            raise ConnectionOptions()
        return super().execution_options(**options)


class _Kept:
    """A driver's connection as far as SQLAlchemy needs it while a recorder is active."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        if name not in HARMLESS and ACTIVE.get() is not None:
            raise DriverConnection()
        return getattr(self._connection, name)


HARMLESS = {"info", "record_info", "is_valid", "is_detached", "commit", "rollback"}
"""What there is of a driver's connection that asks the database for nothing."""


def attach(session: Session) -> Collection[object]:
    """Have the active recorder told of what a session is asked for, and refuse what can't be tracked. Doing it again
    changes nothing. Returns what is watched: the session's key, and its connection."""
    connection = session.bind if isinstance(session.bind, Connection) else session.connection()
    if not isinstance(session, TrackedSession) and "_get_impl" not in vars(session):
        session._get_impl = partial(_get, session, session._get_impl)  # type: ignore[method-assign]
        session._execute_internal = partial(_execute, session._execute_internal)  # type: ignore[method-assign]
    if not isinstance(connection, TrackedConnection):
        _attach(connection)
    return session.hash_key, connection


def _attach(connection: Connection) -> None:
    connection.__class__ = TrackedConnection
    # As what may change statements: else SQLAlchemy puts functions of its own around these, which are not known as
    # Afterwork's.
    event.listen(connection, "before_execute", _ask_connection, retval=True)
    event.listen(connection, "before_cursor_execute", _ask_driver, retval=True)
    if not event.contains(connection.engine, "engine_connect", _connect):
        event.listen(connection.engine, "engine_connect", _connect)
    if not event.contains(Pool, "checkout", _check_out):
        event.listen(Pool, "checkout", _check_out)  # of any engine: a run may open one that nobody knows


def _get(
    session: Session, get: Any, entity: Any, identity: Any, load: Any, *, execution_options: Any = None, **options: Any
) -> Any:
    """Take the place of what `get`, `get_one` and `merge` of a session come down to: also an object that is in the
    session already was asked for."""
    execution_options = execution_options or {}
    listener = ACTIVE.get()
    if listener is None:
        refuse_elsewhere(session.hash_key)
        return get(entity, identity, load, execution_options=execution_options, **options)
    mapper: Mapper[Any] = inspect(entity)
    found = None if execution_options or any(options.values()) else listener.find_loaded(mapper, identity)
    if found is None:
        marked = {**execution_options, UNTRACKED: True}
        found = get(entity, identity, load, execution_options=marked, **options)
    listener.looked_up(mapper, identity, found)
    return found


def _execute(execute: Any, statement: Any, params: Any = None, *, _add_event: Any = None, **options: Any) -> Any:
    """Take the place of what all ways to execute a statement by a session come down to."""
    # After all who listen to sessions, whenever they have begun to: they may change the statement. To listen to each
    # session would take longer than many a calculation.
    ask = partial(_ask_session, statement)
    last = ask if _add_event is None else _both(ask, _add_event)
    return execute(statement, params, _add_event=last, **options)


def _both(first: Callable[[Any], None], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def event(state: Any) -> Any:
        first(state)
        return second(state)

    return event


def _ask_session(given: Any, state: ORMExecuteState) -> None:
    """Tell of a statement that was given to a session. Others who listen may have made another one of it."""
    listener, mark = ACTIVE.get(), state.execution_options.get(UNTRACKED)
    is_changed, is_root = state.statement is not given, mark is ROOT_LOAD and not state.is_relationship_load
    if listener is None:
        refuse_elsewhere(state.session.hash_key)
        if is_changed and not is_root and (mark is BATCH_LOAD or getattr(state.session, "loads_for_many", False)):
            raise ChangedForMany()
        return
    if is_root:
        return
    connection = state.session.connection()
    for question in selects_in_options(state.statement):
        listener.before_statement(question, {}, connection)
    if is_changed or not (state.is_relationship_load or state.is_column_load or mark is not None):
        _tell(state.statement, state.parameters, connection)
    state.update_execution_options(**{UNTRACKED: True})


@own
def _ask_connection(
    connection: Connection, statement: Any, multiparams: Any, params: Any, execution_options: Any
) -> tuple[Any, Any, Any]:
    is_flush = isinstance(execution_options.get("compiled_cache"), LRUCache)
    if RECORDED_HANDLES and ACTIVE.get() is None:
        refuse_elsewhere(connection)
    if UNTRACKED not in execution_options and not is_flush:
        _tell(statement, multiparams or params, connection, entities=False)
    return statement, multiparams, params


@own
def _ask_driver(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    if ACTIVE.get() is not None and context.compiled is None and context.invoked_statement is None:
        raise TextualSQL(statement)
    return statement, parameters


def _connect(connection: Connection) -> None:
    if ACTIVE.get() is not None:
        connection.close()
        raise OwnConnection()


def _check_out(connection: Any, record: Any, fairy: Any) -> None:
    # A pool closes what it must not give away. Where that would be the run's own connection, `_connect` refuses.
    if ACTIVE.get() is not None and not isinstance(fairy._pool, StaticPool | SingletonThreadPool):
        raise OwnConnection()


def _tell(statement: Any, parameters: Any, connection: Connection, *, entities: bool = True) -> None:
    listener = ACTIVE.get()
    if listener is not None and (question := select_in(statement)) is not None:
        for element in visitors.iterate(question):  # type: ignore[arg-type]
            refuse_text(element)
        one = parameters[0] if isinstance(parameters, list | tuple) and len(parameters) == 1 else parameters
        listener.before_statement(question, one or {}, connection, entities=entities)
