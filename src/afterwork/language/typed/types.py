"""The types of expressions."""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """The base of all types."""


@dataclass(frozen=True, slots=True)
class BasicType(Type):
    """A type of plain values."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class EnumType(Type):
    """The members of a Python enumeration."""

    cls: type[enum.Enum]

    def __str__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True, slots=True)
class LabelType(Type):
    """The type of `#Name` until an enumeration or a text is expected."""

    name: str

    def __str__(self) -> str:
        return f"#{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectType(Type):
    """The objects of a mapped class and of its subclasses."""

    cls: type

    def __str__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True, slots=True)
class CollectionType(Type):
    """A collection without nulls. `kind` is Set, Bag, Sequence, OrderedSet, or Collection for any of these."""

    kind: str
    element: Type

    def __str__(self) -> str:
        return f"{self.kind}({self.element})"


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """Named parts, in order."""

    parts: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return f"Tuple({', '.join(f'{name} : {kind}' for name, kind in self.parts)})"


@dataclass(frozen=True, slots=True)
class TypeOf(Type):
    """A type itself, as in `Customer.allInstances` and `DateTime.Now`."""

    of: Type

    def __str__(self) -> str:
        return f"Type({self.of})"


@dataclass(frozen=True, slots=True)
class ViewModelsOf(Type):
    """`Customer.ViewModels`, whose members are the names of view models."""

    cls: type

    def __str__(self) -> str:
        return f"{self.cls.__name__}.ViewModels"


ANY = BasicType("Any")
NULL = BasicType("Null")
NOTHING = BasicType("Nothing")
BOOLEAN = BasicType("Boolean")
INTEGER = BasicType("Integer")
DECIMAL = BasicType("Decimal")
REAL = BasicType("Real")
STRING = BasicType("String")
DATETIME = BasicType("DateTime")
DATE = BasicType("Date")
TIME = BasicType("Time")
TIMESPAN = BasicType("TimeSpan")
GUID = BasicType("Guid")
BYTES = BasicType("Bytes")

NUMBERS = (INTEGER, DECIMAL, REAL)
"""The types of numbers, from the narrowest to the widest."""

BASIC_TYPES = {
    kind.name.lower(): kind
    for kind in (ANY, BOOLEAN, INTEGER, DECIMAL, REAL, STRING, DATETIME, DATE, TIME, TIMESPAN, GUID, BYTES)
} | {"double": REAL, "float": REAL, "int32": INTEGER, "int64": INTEGER, "int": INTEGER, "bool": BOOLEAN}
"""The basic types by their names in lower case, with .NET's names for them."""

COLLECTION_KINDS = {kind.lower(): kind for kind in ("Set", "Bag", "Sequence", "OrderedSet", "Collection")}
UNIQUE_KINDS = ("Set", "OrderedSet")
ORDERED_KINDS = ("Sequence", "OrderedSet")


def conforms(given: Type, wanted: Type) -> bool:
    """Return whether a value of one type can stand where another is expected. Null can stand everywhere."""
    if wanted in (given, ANY) or given in (ANY, NULL):
        return True
    match given, wanted:
        case BasicType(), BasicType() if given in NUMBERS and wanted in NUMBERS:
            return NUMBERS.index(given) <= NUMBERS.index(wanted)
        case (BasicType(name="Date"), BasicType(name="DateTime")) | (
            LabelType(),
            EnumType() | BasicType(name="String"),
        ):
            return True
        case ObjectType(cls=one), ObjectType(cls=other):
            return issubclass(one, other)
        case CollectionType(), CollectionType():
            return wanted.kind in {given.kind, "Collection"} and conforms(given.element, wanted.element)
        case TupleType(), TupleType():
            return [n for n, _ in given.parts] == [n for n, _ in wanted.parts] and all(
                conforms(one, other) for (_, one), (_, other) in zip(given.parts, wanted.parts, strict=True)
            )
        case TypeOf(of=one), TypeOf(of=other):
            return conforms(one, other)
    return False


def common_type(one: Type, other: Type) -> Type:
    """Return the narrowest type that two types conform to; Any if there is no narrower one."""
    if one == NULL or conforms(one, other):
        return without_label(other)
    if other == NULL or conforms(other, one):
        return without_label(one)
    match one, other:
        case ObjectType(cls=left), ObjectType(cls=right):
            shared = [cls for cls in left.__mro__ if issubclass(right, cls) and "__mapper__" in vars(cls)]
            return ObjectType(shared[0]) if shared else ANY
        case CollectionType(kind=left_kind), CollectionType(kind=right_kind):
            kind = left_kind if left_kind == right_kind else "Collection"
            return CollectionType(kind, common_type(one.element, other.element))
        case LabelType(), LabelType():
            return STRING
    return ANY


MAX_TYPE_PARTS = 200
"""The most parts of a type, counting nested parts: tuples of tuples would double it without end."""


def part_count(kind: Type) -> int:
    """Return the number of parts of a type, counting nested parts."""
    match kind:
        case CollectionType(element=element):
            return 1 + part_count(element)
        case TupleType(parts=parts):
            return 1 + sum(part_count(part) for _, part in parts)
    return 1


def without_label(kind: Type) -> Type:
    """Return String for a label that met no enumeration; any other type as it is."""
    return STRING if isinstance(kind, LabelType) else kind


def comparable(one: Type, other: Type) -> bool:
    """Return whether values of two types might ever be equal."""
    if conforms(one, other) or conforms(other, one):
        return True
    match one, other:
        case ObjectType(), ObjectType():
            return common_type(one, other) != ANY
        case CollectionType(), CollectionType():
            return comparable(one.element, other.element)
        case TupleType(), TupleType():
            return [name for name, _ in one.parts] == [name for name, _ in other.parts]
    return False
