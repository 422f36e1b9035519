"""Making the attributes of a model tell who reads them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Composite, InstrumentedAttribute, Mapper, QueryableAttribute, RelationshipProperty
from sqlalchemy.orm.attributes import instance_state

from afterwork.derived.tracking.hidden_state import ACTIVE, RECORDED_HANDLES, refuse_elsewhere

_read = InstrumentedAttribute.__get__


class TrackedMember(InstrumentedAttribute[Any]):
    """An attribute with a value. With no recorder active, reading it costs what it did: the look at a context variable
    is won back where the value is there."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        if (listener := ACTIVE.get()) is not None:
            state = instance_state(instance)
            if state.key is not None:  # what the job has just made is no dependency
                (listener.states_by_attribute.get(id(self)) or listener.states_of(self)).add(state)
        elif RECORDED_HANDLES:
            refuse_elsewhere(instance_state(instance).session_id)
        try:
            return instance.__dict__[self.key]
        except (KeyError, AttributeError):
            if listener is not None and state.key is not None:
                listener.before_member_load(state, self.key)
            return _read(self, instance, owner)


class TrackedRelationshipAttribute(InstrumentedAttribute[Any]):
    """An attribute with other objects."""

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        listener, state = ACTIVE.get(), instance_state(instance)
        if listener is None:
            refuse_elsewhere(state.session_id)
        if listener is None or state.key is None:
            return _read(self, instance, owner)
        try:
            listener.before_relationship_read(state, self.key)
            value = _read(self, instance, owner)
        except BaseException:
            listener.relationship_failed(state, self.key)
            raise
        listener.relationship_read(state, self.key, value)
        return value


def instrument(mappers: Iterable[Mapper[Any]]) -> None:
    """Make all attributes of these classes tell, also those that are added later to them, to their subclasses, or to
    other classes of their declarative base. Doing it again changes nothing."""
    mappers = list(mappers)
    for base in {_base(mapper) for mapper in mappers if not _is_tracked(mapper)}:
        event.listen(base, "attribute_instrument", _added, propagate=True)
    for mapper in mappers:
        for attribute in mapper.class_manager.values():
            _track(attribute)


def _base(mapper: Mapper[Any]) -> type:
    """The declarative base of a class, or its first mapped class."""
    registry = mapper.registry
    declared = [cls for cls in mapper.class_.__mro__ if vars(cls).get("registry") is registry]
    return declared[-1] if declared else mapper.base_mapper.class_


def _is_tracked(mapper: Mapper[Any]) -> bool:
    return any(
        isinstance(attribute, TrackedMember | TrackedRelationshipAttribute)
        for attribute in mapper.class_manager.values()
    )


def _added(cls: type, key: str, attribute: QueryableAttribute[Any]) -> None:
    _track(attribute)


def _track(attribute: QueryableAttribute[Any]) -> None:
    if type(attribute) is InstrumentedAttribute:
        is_end = isinstance(attribute.comparator, RelationshipProperty.Comparator)
        attribute.__class__ = TrackedRelationshipAttribute if is_end else TrackedMember
    elif isinstance(getattr(attribute, "original_property", None), Composite) and not isinstance(attribute, _Parts):
        # Each of these has a class of its own.
        attribute.__class__ = type("TrackedComposite", (_Parts, type(attribute)), {"inherit_cache": True})


class _Parts:
    """An attribute made of several columns, which it keeps once it has read them: whoever reads it, reads them all."""

    original_property: Composite[Any]

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None and (RECORDED_HANDLES or ACTIVE.get() is not None):
            for part in self.original_property.props:
                getattr(instance, part.key)
        return super().__get__(instance, owner)  # type: ignore[misc]
