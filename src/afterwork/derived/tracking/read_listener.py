"""The protocol between what intercepts reads (attributes, sessions, connections) and what records them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Executable
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute

from afterwork.errors import OtherThread


class ReadListener(Protocol):
    """A receiver of reads.

    `states_by_attribute` has the objects of which a member was read, by the id of the attribute. `tracked_handles` are
    the session's key and the connection, by which no other thread may read meanwhile.
    """

    states_by_attribute: dict[int, set[InstanceState[Any]]]
    tracked_handles: Collection[object]

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        """Return the set in `states_by_attribute` for an attribute that is read for the first time."""

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

    def depends_on(self, thing: object) -> None:
        """Record a dependency that the code declares."""

    def refused_elsewhere(self, error: OtherThread) -> None:
        """Keep an error that was raised in another thread, where the calculation may not notice it."""
