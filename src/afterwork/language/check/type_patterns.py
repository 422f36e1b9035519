"""Matches types with the patterns of a signature, makes the type of its result, and converts operands.

Where a collection is expected, any other value counts as a set of itself.
"""

from afterwork.language.typed import types
from afterwork.language.typed.nodes import AsSet, TypedNode
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import CollectionType, EnumType, ObjectType, TupleType, Type, TypeOf

Bindings = dict[str, Type]
"""The types that the type variables of a signature, and `Self`, stand for in one call."""

TYPE_VARIABLES = ("T", "U", "V")


def matches(pattern: TypePattern, given: Type, bindings: Bindings) -> bool:
    """Return whether a type fits a pattern, and bind the type variables T, U, V, N and O in it."""
    if given in (types.NULL, types.ANY) and pattern.name not in TYPE_VARIABLES:
        return pattern.name != "Type"
    match pattern.name:
        case "Any":
            return True
        case "Value":
            return not isinstance(given, CollectionType | TupleType | TypeOf)
        case "N":
            return given in types.NUMBERS and _bind(pattern.name, given, bindings)
        case "O":
            return isinstance(given, ObjectType) and _bind(pattern.name, given, bindings)
        case "T" | "U" | "V":
            return _bind(pattern.name, given, bindings)
        case "Self":
            return types.conforms(given, bindings["Self"])
        case "State":
            return types.conforms(given, types.STRING)
        case "Object":
            return isinstance(given, ObjectType)
        case "Enum":
            return isinstance(given, EnumType)
        case "Tuple":
            return isinstance(given, TupleType)
        case "Type":
            return isinstance(given, TypeOf) and _is_named_type(pattern.inside[0], given.of, bindings)
        case name if name.lower() in types.COLLECTION_KINDS:
            fits = isinstance(given, CollectionType) and name in {given.kind, "Collection"}
            return fits and matches(pattern.inside[0], given.element, bindings)  # type: ignore[attr-defined]
        case name:
            return types.conforms(given, types.BASIC_TYPES[name.lower()])


def _is_named_type(pattern: TypePattern, of: Type, bindings: Bindings) -> bool:
    """Return whether a type is the very type that a pattern names, and not just one that conforms to it."""
    named = types.BASIC_TYPES.get(pattern.name.lower())
    return of == named if named is not None else matches(pattern, of, bindings)


def matches_source(pattern: TypePattern, source: Type, bindings: Bindings) -> bool:
    """Return whether a type fits as the source. A collection or a type fits only a pattern for one."""
    if isinstance(source, CollectionType) and pattern.name.lower() not in types.COLLECTION_KINDS:
        return False
    if isinstance(source, TypeOf) and pattern.name != "Type":
        return False
    bindings["Self"] = source
    return matches(pattern, source, bindings)


def instantiated(pattern: TypePattern, bindings: Bindings) -> Type:
    """Return the type that a pattern stands for with these bindings."""
    match pattern.name:
        case "Same":
            return CollectionType(_kind(bindings["Self"]), instantiated(pattern.inside[0], bindings))
        case "Gathered":
            kind = "Sequence" if _kind(bindings["Self"]) in types.ORDERED_KINDS else "Bag"
            return CollectionType(kind, flattened_type(instantiated(pattern.inside[0], bindings)))
        case "Self":
            return bindings["Self"]
        case "T" | "U" | "V" | "N" | "O":
            return types.without_label(bindings.get(pattern.name, types.ANY))
        case "Nothing":
            return types.NOTHING
        case "Pair":
            key, value = (instantiated(inside, bindings) for inside in pattern.inside)
            return TupleType((("key", key), ("items", value)))
        case "Object" | "Enum" | "Tuple":
            return types.ANY
        case "Type":
            return TypeOf(instantiated(pattern.inside[0], bindings))
        case name if name.lower() in types.COLLECTION_KINDS:
            return CollectionType(name, instantiated(pattern.inside[0], bindings))
        case name:
            return types.BASIC_TYPES[name.lower()]


def flattened_type(type_: Type) -> Type:
    """Return the type of the elements that a collection of these has once it is flattened."""
    return flattened_type(type_.element) if isinstance(type_, CollectionType) else type_


def _kind(source: Type) -> str:
    return source.kind if isinstance(source, CollectionType) else "Set"


def _bind(name: str, given: Type, bindings: Bindings) -> bool:
    bindings[name] = types.common_type(bindings[name], given) if name in bindings else given
    return True


UNTYPED = (types.ANY, types.NULL)
"""Types that don't say whether the value is a collection; only an evaluation shows it."""


def set_of_itself(typed: TypedNode) -> TypedNode:
    """Return a value as a Set of itself."""
    element = types.ANY if typed.type in UNTYPED else types.without_label(typed.type)
    return AsSet(typed.at, CollectionType("Set", element), typed)


def flattenable(typed: TypedNode) -> TypedNode:
    """Return what may be a collection as one, since it is put into another."""
    return set_of_itself(typed) if typed.type == types.ANY else typed


def as_expected_collection(typed: TypedNode, expected: Type) -> TypedNode:
    """Return an untyped value as a collection where one is expected; any other node as it is."""
    return AsSet(typed.at, expected, typed) if isinstance(expected, CollectionType) and typed.type in UNTYPED else typed


def as_operand(pattern: TypePattern, typed: TypedNode) -> TypedNode:
    """Return an untyped operand as a collection where its operator takes one; any other operand as it is."""
    return set_of_itself(typed) if pattern.name.lower() in types.COLLECTION_KINDS and typed.type in UNTYPED else typed
