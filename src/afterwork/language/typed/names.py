"""What expressions may name: the mapped classes, their members, and what is given from outside.

Names are matched without regard to case and underscores, `customer.Number` is `customer.number`; where two names of a
class differ in nothing else, only the exact ones are found.
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
    """A method of the model that expressions may call: `call` takes the object and the arguments.

    `effects` is False for a method that only answers; queries may call no other ones.
    """

    name: str
    call: Callable[..., Any]
    may_run: Callable[[Any], bool] = lambda obj: True
    parameters: tuple[Type, ...] = ()
    result: Type = NOTHING
    effects: bool = True


def no_methods(cls: type) -> Mapping[str, ModelMethod]:
    """A model whose methods can't be called."""
    return {}


def no_names(cls: type) -> Sequence[str]:
    """A class with nothing of a kind."""
    return ()


def no_external_id(obj: object) -> str | None:
    """A model without external ids."""
    return None


def no_object(session: Session, cls: type, text: str) -> object | None:
    """A model without external ids has no object of that id."""
    return None


@dataclass(frozen=True)
class Names:
    """The world of an expression. `Names.of(Base)` knows mapped classes; the rest is given by who knows more.

    `methods` and `view_models` answer for a class; `transients` names attributes of instances that are not mapped but
    may be read and set; `states` the attributes that hold the state of a state machine. `external_id` gives the text
    that names an object, `find` the object of a class that a text names, `clock` the time.
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
    def of(cls, base: Any, **others: Any) -> "Names":
        """The classes that are mapped below a declarative base, or in a registry."""
        mappers: Iterable[Mapper[Any]] = getattr(base, "registry", base).mappers
        return cls({mapper.class_.__name__: mapper.class_ for mapper in mappers}, **others)

    def find_class(self, name: str) -> type | None:
        """The class of a name."""
        found: type | None = find(self.classes, name)
        return found

    @property
    def enumerations(self) -> list[EnumType]:
        """The enumerations that attributes of the model have."""
        kinds = [member.type for cls in self.classes.values() for member in self.members(cls).values()]
        return [kind for kind in kinds if isinstance(kind, EnumType)]

    def find_enumeration(self, name: str) -> EnumType | None:
        """The enumeration of a name."""
        found: EnumType | None = find({str(kind): kind for kind in self.enumerations}, name)
        return found

    def subclasses(self, cls: type) -> list[type]:
        """Return a class and all that are made from it."""
        return [one for one in self.classes.values() if issubclass(one, cls)]

    def states_of(self, classes: Iterable[type]) -> list[StateAttribute]:
        """Return the attributes of classes that hold states, each once."""
        return list(dict.fromkeys(attribute for cls in classes for attribute in self.states(cls)))

    def has_state(self, cls: type, text: str) -> bool:
        """Return whether a class, or one that is made from it, has a state of that name."""
        return any(attribute.knows(text) for attribute in self.states_of(self.subclasses(cls)))

    def members(self, cls: type) -> Mapping[str, Member]:
        """The attributes and association ends of a class, by their keys."""
        return members_of(cls, tuple(self.transients(cls)))

    def find_member(self, cls: type, name: str) -> Member | None:
        """The attribute or association end of a name."""
        found: Member | None = find(self.members(cls), name)
        return found

    def find_method(self, cls: type, name: str) -> ModelMethod | None:
        """The method of a name."""
        found: ModelMethod | None = find(self.methods(cls), name)
        return found

    def find_view_model(self, cls: type, name: str) -> str | None:
        """The view model of a name, as it is written in the model."""
        found: str | None = find({one: one for one in self.view_models(cls)}, name)
        return found
