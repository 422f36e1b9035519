"""An object as the library sees it: its names, and its state as the library has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getattr_static, isfunction
from typing import Any

from afterwork.model.derived import Derived
from afterwork.model.machine.declaration import Machine
from afterwork.model.method import Method
from afterwork.saving.machine.source_state import store_state

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
