"""Operators that describe classes."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.typed.members import AttributeMember
from afterwork.language.typed.operator import EvaluationFunction, Operator, ValueFunction


def attributes(evaluation: Evaluation, cls: type) -> list[str]:
    return [key for key, member in evaluation.names.members(cls).items() if isinstance(member, AttributeMember)]


def ends(evaluation: Evaluation, cls: type) -> list[str]:
    return [key for key, member in evaluation.names.members(cls).items() if not isinstance(member, AttributeMember)]


def super_types(cls: type) -> list[str]:
    """Return the names of the superclasses, nearest first."""
    mapper: Mapper[Any] = inspect(cls)
    return [other.class_.__name__ for other in mapper.iterate_to_root() if other is not mapper]


def sub_classes(cls: type) -> list[str]:
    """Return the names of the subclasses, nearest first."""
    mapper: Mapper[Any] = inspect(cls)
    return [other.class_.__name__ for other in mapper.self_and_descendants if other is not mapper]


OPERATORS = (
    Operator(
        "Type(O).typeName : String",
        ValueFunction(lambda cls: cls.__name__),
        "The name of a class.",
        ("Customer.typeName", "'Customer'"),
    ),
    Operator(
        "Type(O).asString : String",
        ValueFunction(lambda cls: cls.__name__),
        "As `typeName`.",
        ("self.oclType.asString", "'Customer'"),
    ),
    Operator(
        "Type(O).attributes : Sequence(String)",
        EvaluationFunction(attributes),
        "The names of a class's attributes.",
        ("Customer.attributes->includes('name')", "true"),
    ),
    Operator(
        "Type(O).associationEnds : Sequence(String)",
        EvaluationFunction(ends),
        "The names of a class's association ends.",
        ("Customer.associationEnds->includes('orders')", "true"),
    ),
    Operator(
        "Type(O).allSuperTypes : Sequence(String)",
        ValueFunction(super_types),
        "The names of a class's superclasses, nearest first.",
        ("VipCustomer.allSuperTypes", "Sequence{'Customer'}"),
    ),
    Operator(
        "Type(O).allSubClasses : Sequence(String)",
        ValueFunction(sub_classes),
        "The names of all subclasses of a class, nearest first.",
        ("Customer.allSubClasses", "Sequence{'VipCustomer'}"),
    ),
)
