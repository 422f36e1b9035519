"""An object as it was loaded, as plain values, and the objects that are made of it."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import ClassManager, InstanceState, Session
from sqlalchemy.orm.attributes import instance_state

UNCHANGING = frozenset({type(None), bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID})
"""Values of these types can't be changed, so that objects may have them in common. All others are copied."""

Identity = tuple[Any, ...]


@dataclass(frozen=True)
class LoadState:
    """How an object was loaded: without some of its members, and with options."""

    expired: frozenset[str] = frozenset()
    options: tuple[Any, ...] = ()
    path: Any = None

    def go(self, state: InstanceState[Any]) -> None:
        """Have an object be as if it had been loaded so."""
        state.expired_attributes.update(self.expired)
        if self.options:
            state.load_options, state.load_path = self.options, self.path


DEFAULT_LOAD = LoadState()


@dataclass(slots=True, eq=False)
class Prototype:
    """An object as it was loaded: the values of its members (those that could be changed in place are `copied`), and
    the objects at those of its ends that were loaded. `base` is the uppermost class that it is of.

    There are thousands, and each thing that one consists of is looked at by Python's garbage collection: so there is
    nothing in it that is not needed."""

    manager: ClassManager[Any]
    base: type
    identity: Identity
    values: dict[str, Any]
    copied: dict[str, Any] | None = None
    relationships: dict[str, Sequence["Prototype"]] | None = None
    load_state: LoadState = DEFAULT_LOAD

    def set_apart(self) -> None:
        """Put the values that could be changed in place where they are copied."""
        if not are_immutable(self.values.values()):
            apart = {name: value for name, value in self.values.items() if not are_immutable([value])}
            self.copied = apart | (self.copied or {})
            self.values = {name: value for name, value in self.values.items() if name not in apart}

    def has(self, name: str) -> bool:
        """Return whether the value of a member is known."""
        return name in self.values or name in (self.copied or ())

    def value(self, name: str) -> Any:
        """Return the value of a member for one object."""
        return self.values[name] if name in self.values else deepcopy((self.copied or {})[name])

    def copy_into(self, session: Session) -> object:
        """Return the object of a session that is made of this."""
        key = self.base, self.identity, None
        known: object | None = session.identity_map.get(key)
        if known is not None:
            return known
        obj: object = self.manager.new_instance()
        state = instance_state(obj)
        state.key, state.session_id = key, session.hash_key
        session.identity_map.add(state)
        state.dict.update(self.values)
        if self.copied is not None:
            state.dict.update(deepcopy(self.copied))
        if self.load_state is not DEFAULT_LOAD:
            self.load_state.go(state)
        # As when it is loaded; SQLAlchemy's merge has no context to give either.
        self.manager.dispatch.load(state, None)
        if session.dispatch.loaded_as_persistent:
            session.dispatch.loaded_as_persistent(session, state)
        return obj


def are_immutable(values: Iterable[Any]) -> bool:
    """Return whether no value can be changed in place."""
    return all(issubclass(kind, Enum) for kind in set(map(type, values)) - UNCHANGING)
