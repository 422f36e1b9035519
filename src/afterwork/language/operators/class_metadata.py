"""What classes say of themselves."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.typed.members import AttributeMember
from afterwork.language.typed.operator import EvaluationFunction, Operator, ValueFunction


def attributes(run: Evaluation, cls: type) -> list[str]:
    return [key for key, member in run.names.members(cls).items() if isinstance(member, AttributeMember)]


def ends(run: Evaluation, cls: type) -> list[str]:
    return [key for key, member in run.names.members(cls).items() if not isinstance(member, AttributeMember)]


def super_types(cls: type) -> list[str]:
    """From the nearest one on."""
    mapper: Mapper[Any] = inspect(cls)
    return [one.class_.__name__ for one in mapper.iterate_to_root() if one is not mapper]


def sub_classes(cls: type) -> list[str]:
    """From the nearest ones on."""
    mapper: Mapper[Any] = inspect(cls)
    return [one.class_.__name__ for one in mapper.self_and_descendants if one is not mapper]


ROWS = (
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
        "The names of the classes that a class is made from, the nearest first.",
        ("VipCustomer.allSuperTypes", "Sequence{'Customer'}"),
    ),
    Operator(
        "Type(O).allSubClasses : Sequence(String)",
        ValueFunction(sub_classes),
        "The names of the classes that are made from a class, and of those that are made from them.",
        ("Customer.allSubClasses", "Sequence{'VipCustomer'}"),
    ),
)
