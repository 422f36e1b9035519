"""The types that annotations have in texts, and the annotations that a file of jobs names by those types."""

import enum
import re
import types as python_types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import registry

from afterwork.errors import BadDeclaration
from afterwork.language.syntax.spelling import find, nearest
from afterwork.language.typed.members import TYPES_BY_CLASS, type_of_class
from afterwork.language.typed.types import ANY, BASIC_TYPES, COLLECTION_KINDS, NOTHING, CollectionType, ObjectType, Type

SETS = (set, frozenset, AbstractSet)
SEQUENCES = (list, tuple, Sequence, Collection, Iterable)


def type_of_annotation(annotation: Any, model: registry) -> Type:
    """Return the type of the values of an annotation; Any for what the language has no type for."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    match origin:
        case typing.Annotated:
            return type_of_annotation(arguments[0], model)
        case typing.Literal:
            return _only({type_of_class(type(value)) for value in arguments})
        case typing.Union | python_types.UnionType:
            return _only({type_of_annotation(part, model) for part in arguments if part is not python_types.NoneType})
    cls = annotation if origin is None else origin
    if cls in (*SETS, *SEQUENCES):
        return _collection(cls, arguments, model)
    return _plain(annotation, model)


def _plain(annotation: Any, model: registry) -> Type:
    match annotation:
        case None | python_types.NoneType | typing.NoReturn:
            return NOTHING
        case typing.NewType(__supertype__=inner):
            return type_of_annotation(inner, model)
        case type():
            return _of_class(annotation, model)
    return ANY


def _only(types: Collection[Type]) -> Type:
    """Return the only type of several values; Any for several types."""
    return next(iter(types)) if len(types) == 1 else ANY


def _collection(cls: Any, arguments: tuple[Any, ...], model: registry) -> Type:
    elements = {type_of_annotation(argument, model) for argument in arguments if argument is not Ellipsis}
    return CollectionType("Set" if cls in SETS else "Sequence", _only(elements))


def _of_class(cls: type, model: registry) -> Type:
    """Return the type of a class's objects. A mixin is taken for the mapped class that alone derives from it."""
    if inspect(cls, raiseerr=False) is not None:
        return ObjectType(cls)
    plain = type_of_class(cls)
    if plain != ANY or cls is object:
        return plain
    derived = [mapper.class_ for mapper in model.mappers if issubclass(mapper.class_, cls)]
    widest = [other for other in derived if all(issubclass(below, other) for below in derived)]
    return ObjectType(widest[0]) if widest else ANY


TYPE = re.compile(r"(\w+)\s*(?:\(\s*(.+)\s*\))?\s*(\?)?")
"""A type as a file of jobs writes it: `Decimal`, `String?`, `Sequence(Order)`."""

CLASSES: Mapping[Type, type] = {type_: cls for cls, type_ in reversed(TYPES_BY_CLASS)}


def annotation_named(text: str, model: registry, enumerations: Iterable[type[enum.Enum]]) -> Any:
    """Return the annotation for the name of a type. Raises `BadDeclaration`, which suggests similar names."""
    match = TYPE.fullmatch(text.strip())
    if match is None:
        raise BadDeclaration(f"{text!r} is no type. Write Decimal, String?, Order or Sequence(Order).")
    name, inside, nullable = match.groups()
    if inside is not None or name.lower() in COLLECTION_KINDS:
        annotation = _collection_named(name, inside, model, enumerations)
    else:
        annotation = _named(name, model, enumerations)
    return typing.Optional[annotation] if nullable else annotation  # noqa: UP045 (made at run time)


def _collection_named(name: str, inside: str | None, model: registry, enumerations: Iterable[type[enum.Enum]]) -> Any:
    kind = COLLECTION_KINDS.get(name.lower())
    if kind is None:
        raise _unknown(name, COLLECTION_KINDS.values())
    made: Any = set if kind == "Set" else list
    return made if inside is None else made[annotation_named(inside, model, enumerations)]


def _named(name: str, model: registry, enumerations: Iterable[type[enum.Enum]]) -> Any:
    named: dict[str, Any] = {mapper.class_.__name__: mapper.class_ for mapper in model.mappers}
    named |= {cls.__name__: cls for cls in enumerations}
    annotation = find(named, name)
    if annotation is not None:
        return annotation
    basic = BASIC_TYPES.get(name.lower())
    if basic is None:
        raise _unknown(name, [*named, *(type_.name for type_ in set(BASIC_TYPES.values())), *COLLECTION_KINDS.values()])
    return typing.Any if basic == ANY else CLASSES[basic]


def _unknown(name: str, known: Iterable[str]) -> BadDeclaration:
    suggestions = nearest(name, list(known))
    advice = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    return BadDeclaration(f"there is no type {name}.{advice}")
