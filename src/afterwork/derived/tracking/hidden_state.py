"""The hidden state of tracking, in one place: global state, changes in objects of others, and the reasons.

Application code reads plain SQLAlchemy objects and gets no recorder passed in. So tracking has to be ambient:

1. `ACTIVE` is a context variable: the recorder of this thread or task, if one is running. A thread that the code
   starts begins without one.
2. `RECORDED_HANDLES` is process-wide: sessions and connections that a recorder of any thread is bound to. A read
   through one of them in a context without the recorder would be missed, so it raises `OtherThread`.
3. `_UNTRACKED` is a context variable: reads without a recorder are on purpose here (`aw.untracked`).
4. `replace_class` gives attributes and connections a class that reports reads (`tracked_attributes`, `session_hooks`).
   Attributes keep it for the life of the process, since all sessions share them; a connection until it is closed.
5. `listen_once` adds listeners to an engine and to all pools of the process (`session_hooks`), which stay.
6. `attach_to_session` keeps what a session's objects are loaded with (`LOAD_BATCH`, `LINK_ROWS`) in attributes of the
   session, since its `info` belongs to the application.

While no recorder is active, each of them costs one look at a variable and changes nothing. Beside these,
`afterwork.clock` has a context variable that answers `aw.passed`; `recording_to` sets it together with `ACTIVE`.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, event
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute, Session

from afterwork.clock import watching_time
from afterwork.compat.sqlalchemy_objects import replace_class
from afterwork.errors import OtherThread

__all__ = [
    "ACTIVE",
    "LINK_ROWS",
    "LOAD_BATCH",
    "RECORDED_HANDLES",
    "ReadListener",
    "attach_to_session",
    "attached_to_session",
    "listen_once",
    "recording_to",
    "refuse_elsewhere",
    "replace_class",
    "untracked",
]


class ReadListener:
    """A receiver of reads, which records nothing by itself.

    `states_by_attribute` has the objects of which a member was read, by the id of the attribute. `tracked_handles` are
    the session's key and the connection, by which no other thread may read meanwhile.
    """

    states_by_attribute: dict[int, set[InstanceState[Any]]]
    tracked_handles: Collection[object] = ()

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        """Return the set in `states_by_attribute` for an attribute that is read for the first time."""
        raise NotImplementedError

    def before_member_load(self, state: InstanceState[Any], key: str) -> None:
        """Prepare for the load of a column's value."""

    def before_relationship_read(self, state: InstanceState[Any], key: str) -> None:
        """Prepare for the read of a relationship, which may load it."""

    def relationship_read(self, state: InstanceState[Any], key: str, value: Any) -> None:
        """Record that a relationship was read."""

    def relationship_failed(self, state: InstanceState[Any], key: str) -> None:
        """Record that a relationship could not be loaded."""

    def find_loaded(self, mapper: Mapper[Any], identity: object) -> object | None:
        """Return the object with a key, if that takes no query for it alone."""
        return None

    def looked_up(self, mapper: Mapper[Any], identity: object, obj: object | None) -> None:
        """Record that an object was looked up by its key."""

    def before_statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None:
        """Record what a statement reads that is about to be executed.

        With `entities`, the classes that it selects become objects, whose members are recorded as they are read;
        without, all their columns are read.
        """

    def has_passed(self, timestamp: datetime) -> bool:
        """Return whether a timestamp has passed, and record that this was asked."""
        raise NotImplementedError

    def depends_on(self, thing: object) -> None:
        """Record a dependency that the code declares."""

    def refused_elsewhere(self, error: OtherThread) -> None:
        """Keep an error that was raised in another thread, where the calculation may not notice it."""


ACTIVE: ContextVar[ReadListener | None] = ContextVar("afterwork_recorder", default=None)
"""The receiver of this thread's or task's reads."""

RECORDED_HANDLES: dict[object, ReadListener] = {}
"""The receivers of all threads, by the sessions' keys and the connections that they are bound to.

It is empty while nothing is recorded, so that a read by anyone else costs nothing to see that.
"""

_UNTRACKED: ContextVar[bool] = ContextVar("afterwork_untracked", default=False)

LOAD_BATCH = "_afterwork_batch"
"""The attribute of a session for the batch that its objects are loaded with."""

LINK_ROWS = "_afterwork_links"
"""The attribute of a session without a batch for the link rows that were loaded."""


@contextmanager
def recording_to(listener: ReadListener | None) -> Iterator[None]:
    """Send the reads of the block to `listener`; to none if it is None."""
    before = ACTIVE.get()
    token = ACTIVE.set(listener)
    _swap_handles(before, listener)
    try:
        with watching_time(None if listener is None else listener.has_passed):
            yield
    finally:
        _swap_handles(listener, before)
        ACTIVE.reset(token)


def _swap_handles(before: ReadListener | None, after: ReadListener | None) -> None:
    for handle in () if before is None else before.tracked_handles:
        RECORDED_HANDLES.pop(handle, None)
    if after is not None:
        RECORDED_HANDLES.update(dict.fromkeys(after.tracked_handles, after))


def refuse_elsewhere(handle: object) -> None:
    """Raise `OtherThread` if another thread or task records the reads of this session or connection.

    Call it only where no recorder is active.
    """
    listener = RECORDED_HANDLES.get(handle)
    if listener is not None and not _UNTRACKED.get():
        error = OtherThread()
        listener.refused_elsewhere(error)
        raise error


@contextmanager
def untracked() -> Iterator[None]:
    """Read without depending on what is read: its changes don't run the cache again. Textual SQL is allowed, too."""
    token = _UNTRACKED.set(True)
    try:
        with recording_to(None):
            yield
    finally:
        _UNTRACKED.reset(token)


def listen_once(target: Any, name: str, listener: Callable[..., Any]) -> None:
    """Add a listener that stays, unless it is there already."""
    if not event.contains(target, name, listener):
        event.listen(target, name, listener)


def attach_to_session(session: Session, name: str, value: object) -> None:
    """Keep a value with a session, under one of the names above."""
    setattr(session, name, value)


def attached_to_session(session: Session, name: str) -> Any:
    return getattr(session, name, None)
