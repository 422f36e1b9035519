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
        return f"Tuple({', '.join(f'{name} : {type_}' for name, type_ in self.parts)})"


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
    type_.name.lower(): type_
    for type_ in (ANY, BOOLEAN, INTEGER, DECIMAL, REAL, STRING, DATETIME, DATE, TIME, TIMESPAN, GUID, BYTES)
} | {"double": REAL, "float": REAL, "int32": INTEGER, "int64": INTEGER, "int": INTEGER, "bool": BOOLEAN}
"""The basic types by their names in lower case, with .NET's names for them."""

COLLECTION_KINDS = {kind.lower(): kind for kind in ("Set", "Bag", "Sequence", "OrderedSet", "Collection")}
UNIQUE_KINDS = ("Set", "OrderedSet")
ORDERED_KINDS = ("Sequence", "OrderedSet")


def conforms(given: Type, expected: Type) -> bool:
    """Return whether a value of one type can stand where another is expected. Null can stand everywhere."""
    if expected in (given, ANY) or given in (ANY, NULL):
        return True
    match given, expected:
        case BasicType(), BasicType() if given in NUMBERS and expected in NUMBERS:
            return NUMBERS.index(given) <= NUMBERS.index(expected)
        case (BasicType(name="Date"), BasicType(name="DateTime")) | (
            LabelType(),
            EnumType() | BasicType(name="String"),
        ):
            return True
        case ObjectType(cls=narrow), ObjectType(cls=wide):
            return issubclass(narrow, wide)
        case CollectionType(), CollectionType():
            return expected.kind in {given.kind, "Collection"} and conforms(given.element, expected.element)
        case TupleType(), TupleType():
            return [n for n, _ in given.parts] == [n for n, _ in expected.parts] and all(
                conforms(narrow, wide) for (_, narrow), (_, wide) in zip(given.parts, expected.parts, strict=True)
            )
        case TypeOf(of=narrow), TypeOf(of=wide):
            return conforms(narrow, wide)
    return False


def conforms_loosely(given: Type, expected: Type) -> bool:
    """Return whether a value of one type can stand for another, of whichever kind its collection is."""
    match given, expected:
        case CollectionType(element=narrow), CollectionType(element=wide):
            return conforms(narrow, wide)
    return conforms(given, expected)


def assignable(given: Type, expected: Type) -> bool:
    """Return whether a value of one type can be stored as another: also a Real as a Decimal."""
    return conforms_loosely(given, expected) or (given == REAL and expected == DECIMAL)


def common_type(left: Type, right: Type) -> Type:
    """Return the narrowest type that two types conform to; Any if there is no narrower one."""
    if left == NULL or conforms(left, right):
        return without_label(right)
    if right == NULL or conforms(right, left):
        return without_label(left)
    match left, right:
        case ObjectType(cls=left_cls), ObjectType(cls=right_cls):
            shared = [cls for cls in left_cls.__mro__ if issubclass(right_cls, cls) and "__mapper__" in vars(cls)]
            return ObjectType(shared[0]) if shared else ANY
        case CollectionType(kind=left_kind), CollectionType(kind=right_kind):
            kind = left_kind if left_kind == right_kind else "Collection"
            return CollectionType(kind, common_type(left.element, right.element))
        case LabelType(), LabelType():
            return STRING
    return ANY


MAX_TYPE_PARTS = 200
"""The most parts of a type, counting nested parts: tuples of tuples would double it without end."""


def part_count(type_: Type) -> int:
    """Return the number of parts of a type, counting nested parts."""
    match type_:
        case CollectionType(element=element):
            return 1 + part_count(element)
        case TupleType(parts=parts):
            return 1 + sum(part_count(part) for _, part in parts)
    return 1


def without_label(type_: Type) -> Type:
    """Return String for a label that met no enumeration; any other type as it is."""
    return STRING if isinstance(type_, LabelType) else type_


def comparable(left: Type, right: Type) -> bool:
    """Return whether values of two types might ever be equal."""
    if conforms(left, right) or conforms(right, left):
        return True
    match left, right:
        case ObjectType(), ObjectType():
            return common_type(left, right) != ANY
        case CollectionType(), CollectionType():
            return comparable(left.element, right.element)
        case TupleType(), TupleType():
            return [name for name, _ in left.parts] == [name for name, _ in right.parts]
    return False
