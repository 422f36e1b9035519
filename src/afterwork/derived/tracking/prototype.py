"""Prototypes: objects as they were loaded, from which each root gets its own copies."""

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

from afterwork.compat.sqlalchemy_objects import add_loaded, announce_loaded
from afterwork.model.key import PrimaryKey

IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID})
"""Types whose values objects may share. Values of all others are copied."""


@dataclass(frozen=True)
class LoadState:
    """The way an object was loaded: without some of its members, and with options."""

    expired: frozenset[str] = frozenset()
    options: tuple[Any, ...] = ()
    path: Any = None

    def apply(self, state: InstanceState[Any]) -> None:
        """Make an object as if it had been loaded this way."""
        state.expired_attributes.update(self.expired)
        if self.options:
            state.load_options, state.load_path = self.options, self.path


DEFAULT_LOAD = LoadState()


@dataclass(slots=True, eq=False)
class Prototype:
    """The values of an object as it was loaded, and the objects of those relationships that were loaded.

    `base` is the topmost class of its hierarchy. `mutable` are the values that could be changed in place, which each
    root gets copies of. Thousands of prototypes exist, and the garbage collector looks at each thing in one: so it has
    nothing that is not needed.
    """

    manager: ClassManager[Any]
    base: type
    identity: PrimaryKey
    values: dict[str, Any]
    mutable: dict[str, Any] | None = None
    relationships: dict[str, Sequence["Prototype"]] | None = None
    load_state: LoadState = DEFAULT_LOAD

    def separate_mutable(self) -> None:
        """Move the values that could be changed in place from `values` to `mutable`."""
        if not are_immutable(self.values.values()):
            mutable = {name: value for name, value in self.values.items() if not are_immutable([value])}
            self.mutable = mutable | (self.mutable or {})
            self.values = {name: value for name, value in self.values.items() if name not in mutable}

    def has(self, name: str) -> bool:
        return name in self.values or name in (self.mutable or ())

    def value(self, name: str) -> Any:
        return self.values[name] if name in self.values else deepcopy((self.mutable or {})[name])

    def related(self, name: str) -> Sequence["Prototype"] | None:
        """Return the objects of a relationship; None if it was not loaded."""
        return (self.relationships or {}).get(name)

    def relate(self, name: str, prototypes: Sequence["Prototype"]) -> None:
        self.relationships = self.relationships or {}
        self.relationships[name] = prototypes

    def copy_into(self, session: Session) -> object:
        """Return the session's own object, made of this if the session has none yet."""
        key = self.base, self.identity, None
        known: object | None = session.identity_map.get(key)
        if known is not None:
            return known
        obj = add_loaded(session, self.manager, key, self.values)
        state = instance_state(obj)
        if self.mutable is not None:
            state.dict.update(deepcopy(self.mutable))
        if self.load_state is not DEFAULT_LOAD:
            self.load_state.apply(state)
        announce_loaded(session, state)
        return obj


def are_immutable(values: Iterable[Any]) -> bool:
    """Return whether no value can be changed in place."""
    return all(issubclass(type_, Enum) for type_ in set(map(type, values)) - IMMUTABLE)
