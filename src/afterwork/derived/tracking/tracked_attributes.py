"""Attributes of mapped classes that report who reads them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Composite, InstrumentedAttribute, Mapper, QueryableAttribute
from sqlalchemy.orm.attributes import instance_state

from afterwork.compat.sqlalchemy_objects import composite_of, is_plain_attribute, is_relationship, read_attribute
from afterwork.derived.tracking.hidden_state import ACTIVE, RECORDED_HANDLES, refuse_elsewhere, replace_class


class TrackedMember(InstrumentedAttribute[Any]):
    """A column's attribute that reports reads.

    With no recorder active, a read costs what it did: the context variable's lookup is paid for by reading loaded
    values straight from `__dict__`.
    """

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        if (listener := ACTIVE.get()) is not None:
            state = instance_state(instance)
            if state.key is not None:  # an object that the job itself has just made is no dependency
                (listener.states_by_attribute.get(id(self)) or listener.states_of(self)).add(state)
        elif RECORDED_HANDLES:
            refuse_elsewhere(instance_state(instance).session_id)
        try:
            return instance.__dict__[self.key]
        except (KeyError, AttributeError):
            if listener is not None and state.key is not None:
                listener.before_member_load(state, self.key)
            return read_attribute(self, instance, owner)


class TrackedRelationshipAttribute(InstrumentedAttribute[Any]):
    """A relationship's attribute that reports reads."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        listener, state = ACTIVE.get(), instance_state(instance)
        if listener is None:
            refuse_elsewhere(state.session_id)
        if listener is None or state.key is None:
            return read_attribute(self, instance, owner)
        try:
            listener.before_relationship_read(state, self.key)
            value = read_attribute(self, instance, owner)
        except BaseException:
            listener.relationship_failed(state, self.key)
            raise
        listener.relationship_read(state, self.key, value)
        return value


class _CompositeReads:
    """A mixin for composite attributes, which cache their value: each read counts as a read of all their columns."""

    original_property: Composite[Any]

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None and (RECORDED_HANDLES or ACTIVE.get() is not None):
            for part in self.original_property.props:
                getattr(instance, part.key)
        return super().__get__(instance, owner)  # type: ignore[misc]


def instrument(mappers: Iterable[Mapper[Any]]) -> None:
    """Track all attributes of these classes, and those added later to them, their subclasses or their base.

    Doing it again changes nothing.
    """
    mappers = list(mappers)
    for base in {_base(mapper) for mapper in mappers if not _is_tracked(mapper)}:
        event.listen(base, "attribute_instrument", _track_added, propagate=True)
    for mapper in mappers:
        for attribute in mapper.class_manager.values():
            _track(attribute)


def _base(mapper: Mapper[Any]) -> type:
    """Return the declarative base of a class, or its first mapped class."""
    registry = mapper.registry
    declared = [cls for cls in mapper.class_.__mro__ if vars(cls).get("registry") is registry]
    return declared[-1] if declared else mapper.base_mapper.class_


def _is_tracked(mapper: Mapper[Any]) -> bool:
    attributes = mapper.class_manager.values()
    return any(isinstance(attribute, TrackedMember | TrackedRelationshipAttribute) for attribute in attributes)


def _track_added(cls: type, key: str, attribute: QueryableAttribute[Any]) -> None:
    _track(attribute)


def _track(attribute: QueryableAttribute[Any]) -> None:
    if is_plain_attribute(attribute):
        replace_class(attribute, TrackedRelationshipAttribute if is_relationship(attribute) else TrackedMember)
    elif composite_of(attribute) is not None and not isinstance(attribute, _CompositeReads):
        # SQLAlchemy makes a class for each composite attribute.
        bases = (_CompositeReads, type(attribute))
        replace_class(attribute, type("TrackedComposite", bases, {"inherit_cache": True}))
