"""Whether types fit a signature, and what type comes out."""

from afterwork.language.typed import types
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import CollectionType, EnumType, ObjectType, TupleType, Type, TypeOf

Bindings = dict[str, Type]
TYPE_VARIABLES = ("T", "U", "V")


def matches(pattern: TypePattern, given: Type, bound: Bindings) -> bool:
    """Whether a type fits. What is found for T, U, V, N and O is noted in `bound`."""
    if given in (types.NULL, types.ANY) and pattern.name not in TYPE_VARIABLES:
        return pattern.name != "Type"
    match pattern.name:
        case "Any":
            return True
        case "Value":
            return not isinstance(given, CollectionType | TupleType | TypeOf)
        case "N":
            return given in types.NUMBERS and _bind(pattern.name, given, bound)
        case "O":
            return isinstance(given, ObjectType) and _bind(pattern.name, given, bound)
        case "T" | "U" | "V":
            return _bind(pattern.name, given, bound)
        case "Self":
            return types.conforms(given, bound["Self"])
        case "State":
            return types.conforms(given, types.STRING)
        case "Object":
            return isinstance(given, ObjectType)
        case "Enum":
            return isinstance(given, EnumType)
        case "Tuple":
            return isinstance(given, TupleType)
        case "Type":
            return isinstance(given, TypeOf) and _is_type(pattern.inside[0], given.of, bound)
        case name if name.lower() in types.COLLECTION_KINDS:
            fits = isinstance(given, CollectionType) and name in {given.kind, "Collection"}
            return fits and matches(pattern.inside[0], given.element, bound)  # type: ignore[attr-defined]
        case name:
            return types.conforms(given, types.BASIC_TYPES[name.lower()])


def _is_type(pattern: TypePattern, of: Type, bound: Bindings) -> bool:
    """Whether a type is the one that is named: one that conforms to it is another."""
    named = types.BASIC_TYPES.get(pattern.name.lower())
    return of == named if named is not None else matches(pattern, of, bound)


def matches_source(pattern: TypePattern, source: Type, bound: Bindings) -> bool:
    """Whether a type fits as the source: a collection or a type does so only where the signature says so."""
    if isinstance(source, CollectionType) and pattern.name.lower() not in types.COLLECTION_KINDS:
        return False
    if isinstance(source, TypeOf) and pattern.name != "Type":
        return False
    bound["Self"] = source
    return matches(pattern, source, bound)


def instantiated(pattern: TypePattern, bound: Bindings) -> Type:
    """The type that a pattern is, with what was found."""
    match pattern.name:
        case "Same":
            return CollectionType(_kind(bound["Self"]), instantiated(pattern.inside[0], bound))
        case "Gathered":
            kind = "Sequence" if _kind(bound["Self"]) in types.ORDERED_KINDS else "Bag"
            return CollectionType(kind, flattened_type(instantiated(pattern.inside[0], bound)))
        case "Self":
            return bound["Self"]
        case "T" | "U" | "V" | "N" | "O":
            return types.without_label(bound.get(pattern.name, types.ANY))
        case "Nothing":
            return types.NOTHING
        case "Pair":
            key, value = (instantiated(inside, bound) for inside in pattern.inside)
            return TupleType((("key", key), ("items", value)))
        case "Object" | "Enum" | "Tuple":
            return types.ANY
        case "Type":
            return TypeOf(instantiated(pattern.inside[0], bound))
        case name if name.lower() in types.COLLECTION_KINDS:
            return CollectionType(name, instantiated(pattern.inside[0], bound))
        case name:
            return types.BASIC_TYPES[name.lower()]


def flattened_type(kind: Type) -> Type:
    """The type of the elements that a collection of these has once it is flattened."""
    return flattened_type(kind.element) if isinstance(kind, CollectionType) else kind


def _kind(source: Type) -> str:
    return source.kind if isinstance(source, CollectionType) else "Set"


def _bind(name: str, given: Type, bound: Bindings) -> bool:
    bound[name] = types.common_type(bound[name], given) if name in bound else given
    return True
