"""The names that expressions may use: mapped classes, their members, and what the application supplies.

Names are matched without regard to case and underscores: `customer.Number` is `customer.number`. Where names of one
class differ in nothing else, only the exact ones match.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Mapper, Session

from afterwork.clock import Clock, SystemClock
from afterwork.language.syntax.spelling import find
from afterwork.language.typed.members import Member, members_of
from afterwork.language.typed.methods import ModelMethod
from afterwork.language.typed.states import StateAttribute, states_in
from afterwork.language.typed.types import EnumType


@dataclass(frozen=True)
class Names:
    """The names of a model. `Names.of(Base)` knows the mapped classes; the caller may supply the rest.

    `methods` and `view_models` answer for a class; `transients` names unmapped attributes of instances that may be read
    and set; `states` are the attributes that hold the state of a state machine. `external_id` returns the text that
    identifies an object, `find` the object of a class that a text identifies, `clock` the time.
    """

    classes: Mapping[str, type]
    methods: Callable[[type], Mapping[str, ModelMethod]] = lambda cls: {}
    view_models: Callable[[type], Sequence[str]] = lambda cls: ()
    transients: Callable[[type], Sequence[str]] = lambda cls: ()
    states: Callable[[type], Sequence[StateAttribute]] = states_in
    external_id: Callable[[object], str | None] = lambda obj: None
    find: Callable[[Session, type, str], object | None] = lambda session, cls, text: None
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def of(cls, base: Any, **supplied: Any) -> "Names":
        """Return the names of the classes that are mapped below a declarative base, or in a registry."""
        mappers: Iterable[Mapper[Any]] = getattr(base, "registry", base).mappers
        return cls({mapper.class_.__name__: mapper.class_ for mapper in mappers}, **supplied)

    def find_class(self, name: str) -> type | None:
        return find(self.classes, name)

    @property
    def enumerations(self) -> list[EnumType]:
        """The enumerations that attributes of the model have as their types."""
        member_types = [member.type for cls in self.classes.values() for member in self.members(cls).values()]
        return [type_ for type_ in member_types if isinstance(type_, EnumType)]

    def find_enumeration(self, name: str) -> EnumType | None:
        return find({str(type_): type_ for type_ in self.enumerations}, name)

    def subclasses(self, cls: type) -> list[type]:
        """Return a class and all its subclasses."""
        return [other for other in self.classes.values() if issubclass(other, cls)]

    def states_of(self, classes: Iterable[type]) -> list[StateAttribute]:
        """Return the attributes of classes that hold states, each once."""
        return list(dict.fromkeys(attribute for cls in classes for attribute in self.states(cls)))

    def has_state(self, cls: type, text: str) -> bool:
        """Return whether a class, or one of its subclasses, has a state of that name."""
        return any(attribute.knows(text) for attribute in self.states_of(self.subclasses(cls)))

    def members(self, cls: type) -> Mapping[str, Member]:
        """Return the attributes and association ends of a class, by key."""
        return members_of(cls, tuple(self.transients(cls)))

    def find_member(self, cls: type, name: str) -> Member | None:
        return find(self.members(cls), name)

    def find_method(self, cls: type, name: str) -> ModelMethod | None:
        return find(self.methods(cls), name)

    def find_view_model(self, cls: type, name: str) -> str | None:
        """Return the view model of a name as the model spells it; None if there is none."""
        return find({known: known for known in self.view_models(cls)}, name)
