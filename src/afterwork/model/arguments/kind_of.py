"""From an annotation to the kind of its values."""

import dataclasses
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from operator import attrgetter, methodcaller
from typing import Any

import typing_extensions
from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.errors import CantBeKept
from afterwork.model.arguments.annotation import NOTHING, Resolver, annotations_of, signature_of
from afterwork.model.arguments.containers import DictKind, ItemsKind, TupleKind, UnionKind
from afterwork.model.arguments.kind import Kind, Secret, SecretKind
from afterwork.model.arguments.records import RecordKind
from afterwork.model.arguments.references import ObjectKind
from afterwork.model.arguments.scalars import SCALARS, EnumKind, LiteralKind, NaturalKind

ITEMS: Mapping[Any, tuple[tuple[type, ...], Callable[[Iterable[Any]], Collection[Any]], str]] = {
    **dict.fromkeys((list, MutableSequence), ((list,), list, "a list")),
    **dict.fromkeys((Sequence, Collection, Iterable), ((list, tuple), list, "a list or tuple")),
    set: ((set,), set, "a set"),
    frozenset: ((frozenset,), frozenset, "a frozenset"),
    AbstractSet: ((set, frozenset), frozenset, "a set or frozenset"),
}

TABLES = (dict, Mapping, MutableMapping)
QUALIFIERS = (typing.Required, typing.NotRequired, typing_extensions.ReadOnly, typing.Final)


class Kinds:
    """The kinds of annotations that are written in one place. Raises `CantBeKept` for one whose values can't be kept,
    and `NameError` for a name that exists only for type checkers."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def of(self, annotation: Any) -> Kind:
        """Return the kind of an annotation as it is written."""
        return NaturalKind() if annotation is NOTHING else self._meant(self._resolver.resolve(annotation))

    def _meant(self, annotation: Any) -> Kind:
        meant = _unwrapped(annotation)
        if meant in (Any, object) or isinstance(meant, typing.TypeVar):
            return NaturalKind()
        origin = typing.get_origin(meant)
        if origin in GENERIC:
            return GENERIC[origin](self, origin, typing.get_args(meant))
        cls = meant if origin is None else origin
        if not isinstance(cls, type):
            raise CantBeKept(meant)
        return self._of_class(cls)

    def of_annotated(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        inner = self._meant(arguments[0])
        return SecretKind(inner) if any(map(_is_secret, arguments[1:])) else inner

    def of_union(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        return UnionKind({_name(each): self._meant(each) for each in arguments})

    def of_literal(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        return LiteralKind(arguments)

    def of_tuple(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return ItemsKind(self._meant(arguments[0]), (tuple,), tuple, "a tuple")
        return TupleKind([self._meant(each) for each in arguments])

    def of_items(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        accepts, make, wanted = ITEMS[origin]
        return ItemsKind(self._meant(arguments[0]), accepts, make, wanted)

    def of_table(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        key, value = arguments
        return DictKind(self._meant(key), self._meant(value))

    def _of_class(self, cls: type) -> Kind:
        mapper: Mapper[Any] | None = inspect(cls, raiseerr=False)
        if mapper is not None:
            return ObjectKind(mapper)
        if cls in SCALARS:
            return SCALARS[cls]
        if cls is tuple:
            return ItemsKind(NaturalKind(), (tuple,), tuple, "a tuple")
        if cls in ITEMS:
            return ItemsKind(NaturalKind(), *ITEMS[cls])
        if cls in TABLES:
            return DictKind(SCALARS[str], NaturalKind())
        return EnumKind(cls) if issubclass(cls, Enum) else self._of_record(cls)

    def _of_record(self, cls: type) -> Kind:
        if dataclasses.is_dataclass(cls):
            return self._of_dataclass(cls)
        if issubclass(cls, tuple) and hasattr(cls, "_fields"):
            required = [name for name in cls._fields if name not in cls._field_defaults]  # type: ignore[attr-defined]
            return RecordKind(cls, lambda: self._fields(cls, cls._fields), required, methodcaller("_asdict"))
        if typing_extensions.is_typeddict(cls):
            names, required = list(annotations_of(cls)), cls.__required_keys__  # type: ignore[attr-defined]
            return RecordKind(cls, lambda: self._fields(cls, names), required, dict)
        raise CantBeKept(cls)

    def _of_dataclass(self, cls: type) -> Kind:
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
        parameters = signature_of(cls).parameters
        if unkept := parameters.keys() - fields.keys():
            raise CantBeKept(cls, f"its constructor takes {', '.join(sorted(unkept))}, which is no field of it")
        required = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
        get = {name: attrgetter(name) for name in fields}
        return RecordKind(
            cls,
            lambda: self._fields(cls, list(fields)),
            required,
            lambda value: {name: get_one(value) for name, get_one in get.items()},
        )

    def _fields(self, cls: type, names: Collection[str]) -> dict[str, Kind]:
        """Return the kinds of the fields of a class, each by the names of the module that declares it."""
        declared = {
            name: (base, annotation)
            for base in reversed(cls.__mro__)
            for name, annotation in annotations_of(base).items()
        }
        kinds: dict[str, Kind] = {}
        for name in names:
            base, annotation = declared.get(name, (cls, NOTHING))
            kinds[name] = Kinds(self._resolver.of_class(base)).of(annotation)
        return kinds


GENERIC: Mapping[Any, Callable[[Kinds, Any, tuple[Any, ...]], Kind]] = {
    typing.Annotated: Kinds.of_annotated,
    typing.Union: Kinds.of_union,
    types.UnionType: Kinds.of_union,
    typing.Literal: Kinds.of_literal,
    tuple: Kinds.of_tuple,
    **dict.fromkeys(ITEMS, Kinds.of_items),
    **dict.fromkeys(TABLES, Kinds.of_table),
}
"""Makes the kind of an annotation that has arguments, by its origin."""


def _unwrapped(annotation: Any) -> Any:
    """Return what a new type, an alias or a qualifier stands for."""
    if isinstance(annotation, typing.NewType):
        return _unwrapped(annotation.__supertype__)
    if isinstance(annotation, typing_extensions.TypeAliasType):  # type Amounts = list[Decimal]
        return _unwrapped(annotation.__value__)
    if typing.get_origin(annotation) in QUALIFIERS:
        return _unwrapped(typing.get_args(annotation)[0])
    return annotation


def _is_secret(mark: object) -> bool:
    return mark is Secret or isinstance(mark, Secret)


def _name(meant: Any) -> str:
    """Return the name of one of several kinds, as JSON says it."""
    return meant.__name__ if isinstance(meant, type) and not typing.get_args(meant) else str(meant)
