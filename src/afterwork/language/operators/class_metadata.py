"""What classes say of themselves."""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.language.run.evaluation import Run
from afterwork.language.typed.members import Attribute
from afterwork.language.typed.operator import InRun, Operator, Plain


def attributes(run: Run, cls: type) -> list[str]:
    return [key for key, member in run.names.members(cls).items() if isinstance(member, Attribute)]


def ends(run: Run, cls: type) -> list[str]:
    return [key for key, member in run.names.members(cls).items() if not isinstance(member, Attribute)]


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
        Plain(lambda cls: cls.__name__),
        "The name of a class.",
        ("Customer.typeName", "'Customer'"),
    ),
    Operator(
        "Type(O).asString : String",
        Plain(lambda cls: cls.__name__),
        "As `typeName`.",
        ("self.oclType.asString", "'Customer'"),
    ),
    Operator(
        "Type(O).attributes : Sequence(String)",
        InRun(attributes),
        "The names of a class's attributes.",
        ("Customer.attributes->includes('name')", "true"),
    ),
    Operator(
        "Type(O).associationEnds : Sequence(String)",
        InRun(ends),
        "The names of a class's association ends.",
        ("Customer.associationEnds->includes('orders')", "true"),
    ),
    Operator(
        "Type(O).allSuperTypes : Sequence(String)",
        Plain(super_types),
        "The names of the classes that a class is made from, the nearest first.",
        ("VipCustomer.allSuperTypes", "Sequence{'Customer'}"),
    ),
    Operator(
        "Type(O).allSubClasses : Sequence(String)",
        Plain(sub_classes),
        "The names of the classes that are made from a class, and of those that are made from them.",
        ("Customer.allSubClasses", "Sequence{'VipCustomer'}"),
    ),
)
