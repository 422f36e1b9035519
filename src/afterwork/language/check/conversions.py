"""Implicit conversions: where a collection is expected, any other value counts as a set of itself."""

from afterwork.language.typed import types
from afterwork.language.typed.nodes import AsSet, TypedNode
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import CollectionType, Type

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
