"""The recorder, if any, that is told of what is read here and now."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Executable
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute

from afterwork.clock import watching_time


class Listener(Protocol):
    """What is told of reads. `members` are the objects, by the id of the attribute that was read of them."""

    members: dict[int, set[InstanceState[Any]]]

    def first_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        """The place in `members` for an attribute that was not read so far."""

    def before_end(self, state: InstanceState[Any], key: str) -> None:
        """An association end is about to be read."""

    def end(self, state: InstanceState[Any], key: str, value: Any) -> None:
        """An association end was read."""

    def asked_for(self, mapper: Mapper[Any], identity: object, found: object | None) -> None:
        """An object was asked for by its key."""

    def statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None:
        """A statement is about to be executed. `entities`: what it selects of classes becomes objects, whose members
        are told of as they are read; without, all their columns are read."""

    def passed(self, moment: datetime) -> bool:
        """Whether a moment has passed is asked."""

    def depends_on(self, thing: object) -> None:
        """A dependency is named."""


ACTIVE: ContextVar[Listener | None] = ContextVar("afterwork_recorder", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Make `listener` the one that is told of what is read."""
    token = ACTIVE.set(listener)
    try:
        with watching_time(None if listener is None else listener.passed):
            yield
    finally:
        ACTIVE.reset(token)


@contextmanager
def untracked() -> Iterator[None]:
    """What is read inside is no reason to run the cache again. Everything may be read there, also textual SQL."""
    with listening(None):
        yield
