"""An expression that has been checked: the result of `check/`, and what `run/` and `sql/` take."""

from collections.abc import Mapping
from dataclasses import dataclass

from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import TypedNode, VariableRead
from afterwork.language.typed.types import ObjectType

SELF_SLOT = 1
"""The slot of `self` in a frame; slot 0 holds the evaluation."""


@dataclass(frozen=True, slots=True)
class TypedExpression:
    """An expression that means something in a model. An evaluation needs a frame of `slots` slots."""

    text: str
    tree: TypedNode
    names: Names
    self_type: ObjectType | None
    variables: Mapping[str, VariableRead]
    slots: int
