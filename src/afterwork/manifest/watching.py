"""Noticing what a job asks its session, its connection and its engine for.

The listeners stay where they have been attached, and do nothing while no recorder is active.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Delete,
    Executable,
    Insert,
    Pool,
    Select,
    StaticPool,
    TextClause,
    TextualSelect,
    Update,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.orm import Load, Mapper, ORMExecuteState, Session
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.sql import visitors
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.util import LRUCache

from afterwork.errors import OwnConnection, TextualSQL
from afterwork.manifest.active import ACTIVE
from afterwork.manifest.query.refused import refuse_text
from afterwork.model.accounted import ACCOUNTED
from afterwork.store.direct import own


def attach(session: Session) -> None:
    """Have the active recorder told of what a session is asked for, and refuse what can't be tracked. Doing it again
    changes nothing."""
    connection = session.connection()
    if not event.contains(session, "do_orm_execute", _ask_session):
        event.listen(session, "do_orm_execute", _ask_session)
        session._get_impl = _Getting(session)  # type: ignore[method-assign,assignment]
    if not event.contains(connection, "before_execute", _ask_connection):
        # As what may change statements: else SQLAlchemy puts functions of its own around these, which are not known as
        # Afterwork's.
        event.listen(connection, "before_execute", _ask_connection, retval=True)
        event.listen(connection, "before_cursor_execute", _ask_driver, retval=True)
    if not event.contains(connection.engine, "engine_connect", _connect):
        event.listen(connection.engine, "engine_connect", _connect)
    if not event.contains(Pool, "checkout", _check_out):
        event.listen(Pool, "checkout", _check_out)  # of any engine: a run may open one that nobody knows


class _Getting:
    """Takes the place of what `get`, `get_one` and `merge` of a session come down to: also an object that is in the
    session already was asked for."""

    def __init__(self, session: Session) -> None:
        self._get = session._get_impl

    def __call__(self, entity: Any, identity: Any, load: Any, *, execution_options: Any = None, **options: Any) -> Any:
        listener = ACTIVE.get()
        if listener is None:
            return self._get(entity, identity, load, execution_options=execution_options or {}, **options)
        marked = {**(execution_options or {}), ACCOUNTED: True}
        found = self._get(entity, identity, load, execution_options=marked, **options)
        mapper: Mapper[Any] = inspect(entity)
        listener.asked_for(mapper, identity, found)
        return found


def _ask_session(state: ORMExecuteState) -> None:
    listener = ACTIVE.get()
    if listener is None:
        return
    connection = state.session.connection()
    for criteria in _criteria(state.statement):
        listener.statement(criteria, {}, connection)
    if not (state.is_relationship_load or state.is_column_load or ACCOUNTED in state.execution_options):
        _tell(state.statement, state.parameters, connection)
    state.update_execution_options(**{ACCOUNTED: True})


@own
def _ask_connection(
    connection: Connection, statement: Any, multiparams: Any, params: Any, execution_options: Any
) -> tuple[Any, Any, Any]:
    is_flush = isinstance(execution_options.get("compiled_cache"), LRUCache)
    if ACCOUNTED not in execution_options and not is_flush:
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
    if listener is not None and (question := question_in(statement)) is not None:
        for element in visitors.iterate(question):  # type: ignore[arg-type]
            refuse_text(element)
        one = parameters[0] if isinstance(parameters, list | tuple) and len(parameters) == 1 else parameters
        listener.statement(question, one or {}, connection, entities=entities)


def question_in(statement: Any) -> Executable | None:
    """What a statement asks the database for, as a select; None if it asks for nothing. One that writes asks which rows
    it is to change."""
    while isinstance(statement, FromStatement):
        statement = statement.element
    if isinstance(statement, FunctionElement):
        return statement.select()
    if isinstance(statement, Insert):
        return statement.select
    if isinstance(statement, Update | Delete):
        if statement.whereclause is None:
            return None
        wanted = list(statement.exported_columns) or [func.count()]
        return select(*wanted).select_from(statement.table).where(statement.whereclause)
    return statement if isinstance(statement, Select | CompoundSelect | TextualSelect | TextClause) else None


def _criteria(statement: Any) -> Iterator[Select[Any]]:
    """What the options of a statement read: they narrow what is loaded with it, or calculate members."""
    for option in getattr(statement, "_with_options", ()):
        if isinstance(option, LoaderCriteriaOption):
            for mapper in option._all_mappers():
                yield select(func.count()).select_from(mapper.class_).where(option._resolve_where_criteria(mapper))
        elif isinstance(option, Load):
            for element in option.context:
                options: dict[str, Any] = dict(element.local_opts or {})
                narrowed = [*element._extra_criteria, options.get("expression")]
                yield from (select(clause) for clause in narrowed if clause is not None)
