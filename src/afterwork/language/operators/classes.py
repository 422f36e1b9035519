"""Operators that describe classes, find objects, by queries of the database, too (OCLps), or change them."""

from itertools import islice
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Mapper, object_session

from afterwork.language.run.evaluation import Evaluation
from afterwork.language.sql import classes
from afterwork.language.sql.statement import statement_of
from afterwork.language.typed.members import AttributeMember
from afterwork.language.typed.operator import AssociationFunction, DatabaseQuery, Declare, EvaluationFunction


@Declare("Type(O).asString : String", "As `typeName`. `self.oclType.asString` = `'Customer'`")
@Declare("Type(O).typeName : String")
def type_name(cls: type) -> str:
    """The name of a class. `Customer.typeName` = `'Customer'`"""
    return cls.__name__


@Declare("Type(O).attributes : Sequence(String)", kind=EvaluationFunction)
def attributes(evaluation: Evaluation, cls: type) -> list[str]:
    """The names of a class's attributes. `Customer.attributes->includes('name')` = `true`"""
    return [key for key, member in evaluation.names.members(cls).items() if isinstance(member, AttributeMember)]


@Declare("Type(O).associationEnds : Sequence(String)", kind=EvaluationFunction)
def ends(evaluation: Evaluation, cls: type) -> list[str]:
    """The names of a class's association ends. `Customer.associationEnds->includes('orders')` = `true`"""
    return [key for key, member in evaluation.names.members(cls).items() if not isinstance(member, AttributeMember)]


@Declare("Type(O).allSuperTypes : Sequence(String)")
def super_types(cls: type) -> list[str]:
    """The names of a class's superclasses, nearest first. `VipCustomer.allSuperTypes` = `Sequence{'Customer'}`"""
    mapper: Mapper[Any] = inspect(cls)
    return [other.class_.__name__ for other in mapper.iterate_to_root() if other is not mapper]


@Declare("Type(O).allSubClasses : Sequence(String)")
def sub_classes(cls: type) -> list[str]:
    """The names of all subclasses of a class, nearest first. `Customer.allSubClasses` = `Sequence{'VipCustomer'}`"""
    mapper: Mapper[Any] = inspect(cls)
    return [other.class_.__name__ for other in mapper.self_and_descendants if other is not mapper]


elements_by_query = Declare(
    "Type(O).PSEval(Collection(T), [Integer], [Integer], [Any]) : Sequence(T)",
    "The elements of a collection, found by one SELECT with a limit and an offset. A part without SQL is an error. The "
    "reads are tracked. The last operand is accepted for the original's sake. "
    "`Order.PSEval(Order.allInstances->select(paid)->orderBy(total), 1, 0).id` = `Sequence{4}`",
    kind=DatabaseQuery,
)(statement_of)
value_by_query = Declare(
    "Type(O).PSEvalValue(T, [Any], [Any], [Any]) : T",
    "A value, found by one SELECT. `Order.PSEvalValue(Order.allInstances->select(paid)->size)` = `2`",
    kind=DatabaseQuery,
)(statement_of)


def _all_instances(evaluation: Evaluation, cls: type) -> list[Any]:
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


all_instances = Declare(
    "Type(O).allInstances : Set(O)",
    "All objects of a class and its subclasses, in the order of their keys. `Customer.allInstances->size` = `3`",
    kind=EvaluationFunction,
    call=classes.all_instances,
)(_all_instances)


@Declare("Type(O).oclSingleton : O", kind=EvaluationFunction)
def singleton(evaluation: Evaluation, cls: type) -> Any:
    """The only object of a class; null if there is none, an error if there are several.
    `Settings.oclSingleton->isNull` = `true`"""
    objects = _all_instances(evaluation, cls)
    if len(objects) > 1:
        raise ValueError(f"There are {len(objects)} objects of {cls.__name__}, which should have one.")
    return objects[0] if objects else None


@Declare("Type(T).emptyList : Set(T)")
def empty_list(type_: object) -> list[Any]:
    """An empty set of a type. `Customer.emptyList->size` = `0`"""
    return []


@Declare("Type(T).nullValue : T")
def null_value(type_: object) -> None:
    """Null of a type. `Customer.nullValue->isNull` = `true`"""


@Declare("Type(O).objectFromExternalId(String) : O", kind=EvaluationFunction)
def from_external_id(evaluation: Evaluation, cls: type, text: str) -> Any:
    """The object with an external id; null if there is none. `Customer.objectFromExternalId('Customer!1') = self` =
    `true`"""
    return evaluation.names.find(evaluation.session, cls, text)


@Declare("Collection(T)->filterOnType(Type(O)) : Same(O)", call=classes.of_kind)
def of_kind(items: list[Any], cls: type) -> list[Any]:
    """The elements of a class. `Customer.allInstances->filterOnType(VipCustomer)->size` = `1`"""
    return [item for item in items if isinstance(item, cls)]


@Declare("Type(O).create : O", kind=EvaluationFunction, effects=True)
def create(evaluation: Evaluation, cls: type) -> Any:
    """A new object, which is saved with the other changes of the action. `Order.create.total.isNull` = `true`"""
    obj = cls()
    evaluation.session.add(obj)
    return obj


def _delete(obj: Any) -> None:
    """Delete an object. One that is not saved yet is only removed from the session."""
    session = object_session(obj)
    if session is None:
        return
    if inspect(obj).pending:
        session.expunge(obj)
    else:
        session.delete(obj)


delete = Declare("Object.delete : Nothing", "Deletes the object. `Order.create.delete` = `null`", effects=True)(_delete)


@Declare("Collection(O)->delete : Nothing", effects=True)
def delete_all(items: list[Any]) -> None:
    """Deletes all the objects. `Order.emptyList->delete` = `null`"""
    for item in list(items):
        _delete(item)


@Declare("Collection(T)->add(T...) : Nothing", "As `.add`. `(self.orders->add(Order.create); self.orders->size)` = `3`")
@Declare("Collection(T).add(T...) : Nothing", kind=AssociationFunction, effects=True)
def add(obj: Any, key: str, *added: Any) -> None:
    """Adds objects to an association end, unless they are there already.
    `(self.orders.add(Order.create); self.orders->size)` = `3`"""
    end = getattr(obj, key)
    for item in added:
        if item not in end:
            end.add(item) if isinstance(end, set) else end.append(item)


@Declare(
    "Collection(T)->remove(T...) : Nothing",
    "As `.remove`. `(self.orders->remove(self.orders->first); self.orders->size)` = `1`",
)
@Declare("Collection(T).remove(T...) : Nothing", kind=AssociationFunction, effects=True)
def remove(obj: Any, key: str, *removed: Any) -> None:
    """Removes objects from an association end. `(self.orders.remove(self.orders->first); self.orders->size)` = `1`"""
    end = getattr(obj, key)
    for item in removed:
        if item in end:
            end.remove(item)


@Declare("Collection(T)->clear : Nothing", "As `.clear`. `(self.orders->clear; self.orders->size)` = `0`")
@Declare("Collection(T).clear : Nothing", kind=AssociationFunction, effects=True)
def clear(obj: Any, key: str) -> None:
    """Removes all objects from an association end. `(self.orders.clear; self.orders->size)` = `0`"""
    getattr(obj, key).clear()
