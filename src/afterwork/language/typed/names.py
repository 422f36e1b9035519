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
from afterwork.language.typed.states import StateAttribute, states_in
from afterwork.language.typed.types import NOTHING, EnumType, Type


@dataclass(frozen=True)
class ModelMethod:
    """A method of the model that expressions may call. `call` takes the object and the arguments.

    `effects` is False for a method that changes nothing; queries may call no others.
    """

    name: str
    call: Callable[..., Any]
    may_run: Callable[[Any], bool] = lambda obj: True
    parameters: tuple[Type, ...] = ()
    result: Type = NOTHING
    effects: bool = True


def no_methods(cls: type) -> Mapping[str, ModelMethod]:
    """Return no methods, for a model whose methods can't be called."""
    return {}


def no_names(cls: type) -> Sequence[str]:
    """Return no names, for a class that has none of a sort."""
    return ()


def no_external_id(obj: object) -> str | None:
    """Return no external id, for a model without them."""
    return None


def no_object(session: Session, cls: type, text: str) -> object | None:
    """Return no object, for a model without external ids."""
    return None


@dataclass(frozen=True)
class Names:
    """The names of a model. `Names.of(Base)` knows the mapped classes; the caller may supply the rest.

    `methods` and `view_models` answer for a class; `transients` names unmapped attributes of instances that may be read
    and set; `states` are the attributes that hold the state of a state machine. `external_id` returns the text that
    identifies an object, `find` the object of a class that a text identifies, `clock` the time.
    """

    classes: Mapping[str, type]
    methods: Callable[[type], Mapping[str, ModelMethod]] = no_methods
    view_models: Callable[[type], Sequence[str]] = no_names
    transients: Callable[[type], Sequence[str]] = no_names
    states: Callable[[type], Sequence[StateAttribute]] = states_in
    external_id: Callable[[object], str | None] = no_external_id
    find: Callable[[Session, type, str], object | None] = no_object
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def of(cls, base: Any, **supplied: Any) -> "Names":
        """Return the names of the classes that are mapped below a declarative base, or in a registry."""
        mappers: Iterable[Mapper[Any]] = getattr(base, "registry", base).mappers
        return cls({mapper.class_.__name__: mapper.class_ for mapper in mappers}, **supplied)

    def find_class(self, name: str) -> type | None:
        """Return the class of a name; None if there is none."""
        cls: type | None = find(self.classes, name)
        return cls

    @property
    def enumerations(self) -> list[EnumType]:
        """The enumerations that attributes of the model have as their types."""
        member_types = [member.type for cls in self.classes.values() for member in self.members(cls).values()]
        return [type_ for type_ in member_types if isinstance(type_, EnumType)]

    def find_enumeration(self, name: str) -> EnumType | None:
        """Return the enumeration of a name; None if there is none."""
        enumeration: EnumType | None = find({str(type_): type_ for type_ in self.enumerations}, name)
        return enumeration

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
        """Return the attribute or association end of a name; None if there is none."""
        member: Member | None = find(self.members(cls), name)
        return member

    def find_method(self, cls: type, name: str) -> ModelMethod | None:
        """Return the method of a name; None if there is none."""
        method: ModelMethod | None = find(self.methods(cls), name)
        return method

    def find_view_model(self, cls: type, name: str) -> str | None:
        """Return the view model of a name as the model spells it; None if there is none."""
        view_model: str | None = find({known: known for known in self.view_models(cls)}, name)
        return view_model
