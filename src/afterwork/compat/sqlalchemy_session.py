"""Sessions and connections that report what they are asked for.

SQLAlchemy has events for statements, but none for lookups by key: `Session.get` answers from the identity map without
any. It also calls listeners in the order in which they were added, and Afterwork must be the last: others may change
the statement. Adding a listener to each session would take longer than many a calculation.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import StaticPool, inspect
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.util import LRUCache

Lookup = Callable[..., Any]
"""A session's own way to find an object by its key."""

LookupHook = Callable[..., Any]
"""Called as `hook(session, look_up, entity, identity, load, **options)` in place of `look_up(entity, …)`."""

StatementHook = Callable[[Any, ORMExecuteState], None]
"""Called with the statement that the session was given, and the state that its listeners have made of it."""


class HookedSession(Session):
    """A session with hooks around lookups and statements. Subclasses override `look_up` and `on_statement`."""

    def before_statement(self, statement: Any) -> None:
        """Do something before any listener sees a statement."""

    def look_up(self, look_up: Lookup, entity: Any, identity: Any, load: Any, **options: Any) -> Any:
        """Find an object by its key. `get`, `get_one` and `merge` all go this way."""
        return look_up(entity, identity, load, **options)

    def on_statement(self, given: Any, state: ORMExecuteState) -> None:
        """Do something after all listeners have seen a statement."""

    def _get_impl(self, entity: Any, primary_key_identity: Any, db_load_fn: Any, **options: Any) -> Any:
        return self.look_up(super()._get_impl, entity, primary_key_identity, db_load_fn, **options)

    def _execute_internal(self, statement: Any, params: Any = None, **options: Any) -> Any:
        self.before_statement(statement)
        return _execute(super()._execute_internal, self.on_statement, statement, params, **options)


def hook(session: Session, look_up: LookupHook, on_statement: StatementHook) -> None:
    """Add both hooks to a session that exists already. Doing it again changes nothing."""
    if isinstance(session, HookedSession) or "_get_impl" in vars(session):
        return
    session._get_impl = partial(look_up, session, session._get_impl)  # type: ignore[method-assign]
    session._execute_internal = partial(_execute, session._execute_internal, on_statement)  # type: ignore[method-assign]


def _execute(
    execute: Any, hook: StatementHook, statement: Any, params: Any = None, *, _add_event: Any = None, **options: Any
) -> Any:
    """Execute with the hook as the last listener, before the one that SQLAlchemy itself may add for a bulk update."""
    last = partial(hook, statement)
    return execute(statement, params, _add_event=last if _add_event is None else _in_turn(last, _add_event), **options)


def _in_turn(first: Callable[[Any], None], second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def both(state: Any) -> Any:
        first(state)
        return second(state)

    return both


def is_flushing(session: Session) -> bool:
    """Return whether a flush is under way. SQLAlchemy only raises for a second one."""
    return session._flushing


def is_clean(session: Session) -> bool:
    """Return whether nothing is new, changed or deleted. `Session.dirty` builds a set of all objects to tell that."""
    return session._is_clean()


def new_objects(session: Session) -> Iterable[object]:
    """Return the objects that were added and not flushed. `Session.new` copies what may be many."""
    return session._new.values()


def pending_changes(session: Session | None, obj: object) -> Mapping[Any, Any]:
    """Return the pending changes of a session and of an object, to be compared with those of later.

    What was changed is there with the values that it has now, since it may be changed again.
    """
    states: set[Any] = {inspect(obj, raiseerr=False)} - {None}
    deleted: Iterable[Any] = ()
    if session is not None:
        states |= {*session._new, *session.identity_map._modified}
        deleted = session._deleted
    states = {state for state in states if isinstance(state, InstanceState)}
    changed = {state: {key: state.dict.get(key) for key in state.committed_state} for state in states}
    return {**changed, "new": {*session._new} if session is not None else (), "deleted": {*deleted}}


def is_shared_pool(checked_out: Any) -> bool:
    """Return whether a pooled connection's pool has one connection for everyone. The event doesn't name its pool."""
    return isinstance(checked_out._pool, StaticPool | SingletonThreadPool)


def is_of_flush(execution_options: Any) -> bool:
    """Return whether a flush executes this statement: mappers bring compiled statements in a cache of their own."""
    return isinstance(execution_options.get("compiled_cache"), LRUCache)
