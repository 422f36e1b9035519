"""Assignments as closures. On null, nothing is changed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from afterwork.language.run.evaluation import Closure, Compiler, VariableFrame
from afterwork.language.run.values import as_stored, as_timestamp
from afterwork.language.typed import types
from afterwork.language.typed.members import AssociationEnd, AttributeMember
from afterwork.language.typed.nodes import AssignMember


def assigned(node: AssignMember, compiled: Compiler) -> Closure:
    """Return the closure of `source.member := value`; its value is the one that was set."""
    source, value, key = compiled(node.source), compiled(node.value), node.member.key
    convert = _conversion(node.member)

    def assign(frame: VariableFrame) -> Any:
        obj, new = source(frame), value(frame)
        if obj is not None:
            setattr(obj, key, convert(obj, new))
        return new

    return assign


def _conversion(member: AttributeMember | AssociationEnd) -> Callable[[Any, Any], Any]:
    """Return how to convert a value to what its member takes. For an end with many, null is no objects."""
    match member:
        case AssociationEnd(many=True, key=key):
            return lambda obj, value: set(value or ()) if isinstance(getattr(obj, key), set) else list(value or ())
        case AttributeMember(type=types.DATETIME, column_type=column_type):
            return _unless_null(lambda value: as_stored(as_timestamp(value), column_type))
        case AttributeMember(type=types.DECIMAL):
            return _unless_null(lambda value: Decimal(str(value)) if isinstance(value, float) else Decimal(value))
        case AttributeMember(type=types.REAL):
            return _unless_null(float)
    return lambda obj, value: value


def _unless_null(convert: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda obj, value: None if value is None else convert(value)
