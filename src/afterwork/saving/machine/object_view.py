"""An object as the library sees it: its names, and its state, which must still be the one that it was moved from."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getattr_static, isfunction
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified

from afterwork.errors import StateHasChanged
from afterwork.model.derived import Derived
from afterwork.model.external_id import external_id
from afterwork.model.machine.declaration import Machine, machines_of
from afterwork.model.method import Method
from afterwork.saving.machine.transition_log import unsaved, unsaved_sources
from afterwork.store.dialects import locks_of


def store_state(machine: Machine, obj: Any, stored: Any) -> None:
    """Write a state into the column of an object.

    The object is saved even if the state stays the same, as by a transition from a state to itself: that is possible
    only while nobody else has moved it. So the state before its first move is noted, to be compared when it is saved.
    """
    before, member = machine.stored(obj), machine.member_in(type(obj))
    unsaved(obj).sources.setdefault(machine.name, before)
    if stored == before:
        flag_modified(obj, member)
    else:
        setattr(obj, member, stored)


def check_source_state(mapper: Mapper[Any], connection: Connection, obj: Any) -> None:
    """Check that an object about to be updated is in the state that it is moved from. Listens to SQLAlchemy.

    Its row stays locked until this transaction ends.

    Raises `StateHasChanged` if somebody else has moved it.
    """
    state, sources = inspect(obj), unsaved_sources(obj)
    for machine in machines_of(type(obj)):
        member = machine.member_of(mapper)
        before = [sources[machine.name]] if machine.name in sources else state.attrs[member].history.deleted
        if before and not _lock_row(mapper, connection, obj, member, before[0]):
            raise StateHasChanged(external_id(obj), machine.name, before[0])


def _lock_row(mapper: Mapper[Any], connection: Connection, obj: Any, member: str, before: Any) -> bool:
    """Lock the object's row if its column holds a state. Returns whether it does."""
    column: Any = mapper.columns[member]
    key = {part: getattr(obj, mapper.get_property_by_column(part).key) for part in column.table.primary_key.columns}
    same = (*(part == value for part, value in key.items()), column.is_not_distinct_from(before))
    return locks_of(connection.dialect.name).lock_row(connection, column, same)


_NOT_YET = object()
_UNREAD = object()


class ObjectView:
    """Stands in for an object while a chart is put together, and for its column afterwards.

    Until it is opened, the library sees functions only: it looks at each name that a guard has, and to read members
    then would make dependencies of them.
    """

    def __init__(self, machine: Machine, obj: Any) -> None:
        self._machine, self._obj, self._is_open = machine, obj, False
        self._stored: Any = _UNREAD
        self._values: Any = None

    def open(self) -> None:
        """Show the object's members and state from now on."""
        self._is_open = True

    @property
    def configuration(self) -> Any:
        """The states that are active, as the library has them. It reads and writes them here."""
        if not self._is_open:
            return _NOT_YET  # it must not begin to move yet
        stored = self._machine.stored(self._obj)
        if self._stored is _UNREAD or stored != self._stored:
            self._stored, self._values = stored, self._machine.states.read(stored)
        return self._values

    @configuration.setter
    def configuration(self, values: Any) -> None:
        stored = self._machine.states.write(values)
        self._stored, self._values = stored, values
        if stored is not None:
            store_state(self._machine, self._obj, stored)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Show a machine that has not begun as if it were in its first state."""
        if self._machine.stored(self._obj) is not None:
            yield
            return
        self._stored, self._values = None, self._machine.states.first
        try:
            yield
        finally:
            self._stored = _UNREAD

    def __dir__(self) -> list[str]:
        return dir(type(self._obj))

    def __getattr__(self, name: str) -> Any:
        declared = getattr_static(type(self._obj), name)
        if self._is_open or isfunction(declared) or isinstance(declared, Method | Derived | staticmethod | classmethod):
            return getattr(self._obj, name)
        return _NOT_YET
