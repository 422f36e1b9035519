"""What expressions may name: the mapped classes, their members, and what is given from outside.

Names are matched without regard to case and underscores, `customer.Number` is `customer.number`; where two names of a
class differ in nothing else, only the exact ones are found.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session

from afterwork.clock import Clock, SystemClock
from afterwork.language.members import Member, members_of
from afterwork.language.types import NOTHING, EnumType, Type


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


def attribute_called_state(cls: type) -> Sequence[str]:
    """The default for the members that hold states: a text attribute named `state`."""
    mapper: Mapper[Any] = inspect(cls)
    return [attribute.key for attribute in mapper.column_attrs if folded(attribute.key) == "state"]


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
    states: Callable[[type], Sequence[str]] = attribute_called_state
    external_id: Callable[[object], str | None] = no_external_id
    find: Callable[[Session, type, str], object | None] = no_object
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def of(cls, base: Any, **others: Any) -> "Names":
        """The classes that are mapped below a declarative base, or in a registry."""
        mappers: Iterable[Mapper[Any]] = getattr(base, "registry", base).mappers
        return cls({mapper.class_.__name__: mapper.class_ for mapper in mappers}, **others)

    def cls(self, name: str) -> type | None:
        """The class of a name."""
        found: type | None = find(self.classes, name)
        return found

    def enumeration(self, name: str) -> EnumType | None:
        """The enumeration of a name, of those that attributes of the model have."""
        kinds = [member.type for cls in self.classes.values() for member in self.members(cls).values()]
        found: EnumType | None = find({str(kind): kind for kind in kinds if isinstance(kind, EnumType)}, name)
        return found

    def members(self, cls: type) -> Mapping[str, Member]:
        """The attributes and association ends of a class, by their keys."""
        return members_of(cls, tuple(self.transients(cls)))

    def member(self, cls: type, name: str) -> Member | None:
        """The attribute or association end of a name."""
        found: Member | None = find(self.members(cls), name)
        return found

    def method(self, cls: type, name: str) -> ModelMethod | None:
        """The method of a name."""
        found: ModelMethod | None = find(self.methods(cls), name)
        return found

    def view_model(self, cls: type, name: str) -> str | None:
        """The view model of a name, as it is written in the model."""
        found: str | None = find({one: one for one in self.view_models(cls)}, name)
        return found


def folded(name: str) -> str:
    """A name without what doesn't count in it."""
    return name.replace("_", "").lower()


def find(known: Mapping[str, Any], name: str) -> Any:
    """What goes by a name, or None: by the exact one, or else by the only one that differs in nothing that counts."""
    if name in known:
        return known[name]
    wanted = folded(name)
    found = [value for key, value in known.items() if folded(key) == wanted]
    return found[0] if len(found) == 1 else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The three names that look most like one that is not known."""
    by_fold = {folded(one): one for one in known}
    return [by_fold[one] for one in difflib.get_close_matches(folded(name), by_fold, n=3, cutoff=0.6)]
