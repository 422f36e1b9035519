"""The recorder, if any, that is told of what is read here and now.

"Here" is a context: a thread or task. A thread of its own begins with an empty one, in which no recorder is active;
what it reads by way of a calculation's session is refused, since it would be missed.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Executable
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute

from afterwork.clock import watching_time
from afterwork.errors import OtherThread


class ReadListener(Protocol):
    """What is told of reads. `members` are the objects, by the id of the attribute that was read of them. `watched`:
    the session, by its key, and the connection by which nobody else may read meanwhile."""

    states_by_attribute: dict[int, set[InstanceState[Any]]]
    tracked_handles: Collection[object]

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        """The place in `members` for an attribute that was not read so far."""

    def before_member_load(self, state: InstanceState[Any], key: str) -> None:
        """A member with a value is about to be loaded."""

    def before_relationship_read(self, state: InstanceState[Any], key: str) -> None:
        """An association end is about to be read."""

    def relationship_read(self, state: InstanceState[Any], key: str, value: Any) -> None:
        """An association end was read."""

    def find_loaded(self, mapper: Mapper[Any], identity: object) -> object | None:
        """The object with a key, if it can be had without asking the database for it alone."""

    def relationship_failed(self, state: InstanceState[Any], key: str) -> None:
        """An association end could not be loaded."""

    def looked_up(self, mapper: Mapper[Any], identity: object, found: object | None) -> None:
        """An object was asked for by its key."""

    def before_statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None:
        """A statement is about to be executed. `entities`: what it selects of classes becomes objects, whose members
        are told of as they are read; without, all their columns are read."""

    def has_passed(self, moment: datetime) -> bool:
        """Whether a moment has passed is asked."""

    def depends_on(self, thing: object) -> None:
        """A dependency is named."""

    def refused_elsewhere(self, error: OtherThread) -> None:
        """Something was refused where the calculation may not notice."""


ACTIVE: ContextVar[ReadListener | None] = ContextVar("afterwork_recorder", default=None)

RECORDED_HANDLES: dict[object, ReadListener] = {}
"""The listeners of all threads, by what they watch. It is empty while nothing is recorded, so that it costs nothing
then to see that a read concerns none of them."""


_ON_PURPOSE: ContextVar[bool] = ContextVar("afterwork_untracked", default=False)
"""Whether no recorder is active here because the code says so."""


@contextmanager
def listening(listener: ReadListener | None) -> Iterator[None]:
    """Make `listener` the one that is told of what is read."""
    before = ACTIVE.get()
    token = ACTIVE.set(listener)
    _watch(before, listener)
    try:
        with watching_time(None if listener is None else listener.has_passed):
            yield
    finally:
        _watch(listener, before)
        ACTIVE.reset(token)


def _watch(before: ReadListener | None, after: ReadListener | None) -> None:
    for place in () if before is None else before.tracked_handles:
        RECORDED_HANDLES.pop(place, None)
    for place in () if after is None else after.tracked_handles:
        RECORDED_HANDLES[place] = after  # type: ignore[assignment]


def refuse_elsewhere(place: object) -> None:
    """Where no recorder is active: raise `OtherThread` if another thread or task records what is read by way of a
    session or connection."""
    listener = RECORDED_HANDLES.get(place)
    if listener is not None and not _ON_PURPOSE.get():
        error = OtherThread()
        listener.refused_elsewhere(error)
        raise error


@contextmanager
def untracked() -> Iterator[None]:
    """What is read inside is no reason to run the cache again. Everything may be read there, also textual SQL."""
    token = _ON_PURPOSE.set(True)
    try:
        with listening(None):
            yield
    finally:
        _ON_PURPOSE.reset(token)
