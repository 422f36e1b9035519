"""Operators of classes, and operators that create, change and delete objects."""

from itertools import islice
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Mapper, object_session

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.sql import classes
from afterwork.language.typed.operator import (
    AssociationFunction,
    CallTranslation,
    EvaluationFunction,
    Operator,
    ValueFunction,
)


def all_instances(evaluation: Evaluation, cls: type) -> list[Any]:
    """Return all objects of a class by key. Unsaved new and deleted ones of the session count as if it were saved."""
    session = evaluation.session
    mapper: Mapper[Any] = inspect(cls)
    statement = select(mapper).order_by(*mapper.primary_key)
    objects = list(islice(session.scalars(statement), evaluation.budget.size + 1))
    if session.new or session.deleted:
        stored = {id(obj) for obj in objects}
        objects += [obj for obj in session.new if isinstance(obj, cls) and id(obj) not in stored]
        objects = [obj for obj in objects if obj not in session.deleted]
    evaluation.spend(len(objects))
    return objects


def singleton(evaluation: Evaluation, cls: type) -> Any:
    objects = all_instances(evaluation, cls)
    if len(objects) > 1:
        raise ValueError(f"There are {len(objects)} objects of {cls.__name__}, which should have one.")
    return objects[0] if objects else None


def of_kind(items: list[Any], cls: type) -> list[Any]:
    return [item for item in items if isinstance(item, cls)]


def from_external_id(evaluation: Evaluation, cls: type, text: str) -> Any:
    return evaluation.names.find(evaluation.session, cls, text)


def create(evaluation: Evaluation, cls: type) -> Any:
    obj = cls()
    evaluation.session.add(obj)
    return obj


def delete(obj: Any) -> None:
    """Delete an object. One that is not saved yet is only removed from the session."""
    session = object_session(obj)
    if session is None:
        return
    if inspect(obj).pending:
        session.expunge(obj)
    else:
        session.delete(obj)


def delete_all(items: list[Any]) -> None:
    for item in list(items):
        delete(item)


def add(obj: Any, key: str, *added: Any) -> None:
    end = getattr(obj, key)
    for item in added:
        if item not in end:
            end.add(item) if isinstance(end, set) else end.append(item)


def remove(obj: Any, key: str, *removed: Any) -> None:
    end = getattr(obj, key)
    for item in removed:
        if item in end:
            end.remove(item)


def clear(obj: Any, key: str) -> None:
    getattr(obj, key).clear()


OPERATORS = (
    Operator(
        "Type(O).allInstances : Set(O)",
        EvaluationFunction(all_instances),
        "All objects of a class and its subclasses, in the order of their keys.",
        ("Customer.allInstances->size", "3"),
        CallTranslation(classes.all_instances),
    ),
    Operator(
        "Type(O).oclSingleton : O",
        EvaluationFunction(singleton),
        "The only object of a class; null if there is none, an error if there are several.",
        ("Settings.oclSingleton->isNull", "true"),
    ),
    Operator(
        "Type(T).emptyList : Set(T)",
        ValueFunction(lambda type_: []),
        "An empty set of a type.",
        ("Customer.emptyList->size", "0"),
    ),
    Operator(
        "Type(T).nullValue : T",
        ValueFunction(lambda type_: None),
        "Null of a type.",
        ("Customer.nullValue->isNull", "true"),
    ),
    Operator(
        "Type(O).objectFromExternalId(String) : O",
        EvaluationFunction(from_external_id),
        "The object with an external id; null if there is none.",
        ("Customer.objectFromExternalId('Customer!1') = self", "true"),
    ),
    Operator(
        "Collection(T)->filterOnType(Type(O)) : Same(O)",
        ValueFunction(of_kind),
        "The elements of a class.",
        ("Customer.allInstances->filterOnType(VipCustomer)->size", "1"),
        CallTranslation(classes.of_kind),
    ),
    Operator(
        "Type(O).create : O",
        EvaluationFunction(create),
        "A new object, which is saved with the other changes of the action.",
        ("Order.create.total.isNull", "true"),
        effects=True,
    ),
    Operator(
        "Object.delete : Nothing",
        ValueFunction(delete),
        "Deletes the object.",
        ("Order.create.delete", "null"),
        effects=True,
    ),
    Operator(
        "Collection(O)->delete : Nothing",
        ValueFunction(delete_all),
        "Deletes all the objects.",
        ("Order.emptyList->delete", "null"),
        effects=True,
    ),
    Operator(
        "Collection(T).add(T...) : Nothing",
        AssociationFunction(add),
        "Adds objects to an association end, unless they are there already.",
        ("(self.orders.add(Order.create); self.orders->size)", "3"),
        effects=True,
    ),
    Operator(
        "Collection(T).remove(T...) : Nothing",
        AssociationFunction(remove),
        "Removes objects from an association end.",
        ("(self.orders.remove(self.orders->first); self.orders->size)", "1"),
        effects=True,
    ),
    Operator(
        "Collection(T).clear : Nothing",
        AssociationFunction(clear),
        "Removes all objects from an association end.",
        ("(self.orders.clear; self.orders->size)", "0"),
        effects=True,
    ),
    Operator(
        "Collection(T)->add(T...) : Nothing",
        AssociationFunction(add),
        "As `.add`.",
        ("(self.orders->add(Order.create); self.orders->size)", "3"),
        effects=True,
    ),
    Operator(
        "Collection(T)->remove(T...) : Nothing",
        AssociationFunction(remove),
        "As `.remove`.",
        ("(self.orders->remove(self.orders->first); self.orders->size)", "1"),
        effects=True,
    ),
    Operator(
        "Collection(T)->clear : Nothing",
        AssociationFunction(clear),
        "As `.clear`.",
        ("(self.orders->clear; self.orders->size)", "0"),
        effects=True,
    ),
)
