"""Mapped objects, their attributes and their collections."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column
from sqlalchemy.orm import (
    ClassManager,
    ColumnProperty,
    Composite,
    InstanceState,
    InstrumentedAttribute,
    KeyFuncDict,
    Mapper,
    QueryableAttribute,
    RelationshipProperty,
    Session,
)
from sqlalchemy.orm.attributes import instance_state

read_attribute = InstrumentedAttribute.__get__
"""SQLAlchemy's own way to read an attribute, for the classes that take its place."""


def is_plain_attribute(attribute: QueryableAttribute[Any]) -> bool:
    """Return whether an attribute still has SQLAlchemy's own class, whose `__get__` alone is to be replaced."""
    return type(attribute) is InstrumentedAttribute


def is_relationship(attribute: QueryableAttribute[Any]) -> bool:
    """Return whether an attribute is a relationship, also before the mappers are configured."""
    return isinstance(attribute.comparator, RelationshipProperty.Comparator)


def composite_of(attribute: object) -> Composite[Any] | None:
    """Return the composite property of an attribute, for which SQLAlchemy makes a class each."""
    prop = getattr(attribute, "original_property", None)
    return prop if isinstance(prop, Composite) else None


def replace_class(instrument: object, cls: type) -> None:
    """Give an attribute or a connection another class, which adds behaviour and no state.

    SQLAlchemy hands out the same object everywhere, so a wrapper around it would be bypassed.
    """
    instrument.__class__ = cls


def load_member(state: InstanceState[Any], key: str) -> Any:
    """Load a member in SQLAlchemy's own way, past the classes that have taken the place of the attribute's."""
    return state.manager[key].impl.get(state, state.dict)


def loaded_values(state: InstanceState[Any]) -> dict[str, Any]:
    """Return the values of an object's columns as they were loaded: listeners may have changed some since."""
    committed, columns = state.committed_state, state.mapper.column_attrs
    return {name: committed.get(name, value) for name, value in state.dict.items() if name in columns}


def has_own_loader(state: InstanceState[Any], key: str) -> bool:
    """Return whether an object was loaded with a loader of its own for this member."""
    return key in state.callables


def add_loaded(session: Session, manager: ClassManager[Any], key: tuple[Any, ...], values: Mapping[str, Any]) -> object:
    """Build an object from known values, persistent in a session as if its row had been loaded.

    The public ways, `merge(load=False)` and `make_transient_to_detached`, copy an object or expire its members.
    """
    obj: object = manager.new_instance()
    state = instance_state(obj)
    state.key, state.session_id = key, session.hash_key
    state.load_path = manager.mapper._path_registry  # a loader of its own for a relationship starts from there
    session.identity_map.add(state)
    state.dict.update(values)
    return obj


def announce_loaded(session: Session, state: InstanceState[Any]) -> None:
    """Call those who listen to an object's loading. As in SQLAlchemy's own `merge`, they get no query context."""
    state.manager.dispatch.load(state, None)
    if session.dispatch.loaded_as_persistent:
        session.dispatch.loaded_as_persistent(session, state)


def objects_in(value: Any) -> Sequence[object]:
    """Return the objects in the value of a relationship, whatever class of collection it is."""
    if value is None:
        return ()
    adapter = getattr(value, "_sa_adapter", None)
    return (value,) if adapter is None else list(adapter)


def key_columns_of(value: Mapping[Any, Any], mapper: Mapper[Any]) -> Iterable[Column[Any]]:
    """Return the columns from which a dictionary of objects makes its keys; none if a function makes them.

    SQLAlchemy reads them past the attributes.
    """
    keyfunc: Any = value.keyfunc if isinstance(value, KeyFuncDict) else None
    columns_of = getattr(keyfunc, "_cols", None)
    return columns_of(mapper) if columns_of is not None else ()


def is_loaded_as_usual(prop: ColumnProperty[Any]) -> bool:
    """Return whether a column is loaded with its row, neither deferred nor an expression set by a query."""
    return prop.strategy_key == (("deferred", False), ("instrument", True))
