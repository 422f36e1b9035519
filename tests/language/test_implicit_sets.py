"""After an arrow, a single value is a set of itself, whether its type is known or not, and null is an empty one."""

import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from afterwork.errors import NotInSQL
from afterwork.language.operators.table import table
from afterwork.language.query import compile_action, compile_query, to_select
from afterwork.language.typed.members import type_of_value
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.signature import ParameterPattern
from afterwork.language.typed.types import ANY, NULL, CollectionType, Type
from tests.support.language.model import Customer, names
from tests.support.language.nodes import NODE_NAMES


class Size(enum.Enum):
    Small = 1


NUMBERS_ONLY = ("sum", "avg", "average")
VALUES = ["abc", "", 7, 0, Decimal("1.5"), False, Size.Small, datetime(2024, 2, 29, tzinfo=UTC), date(2024, 2, 29)]
VALUES += [timedelta(hours=1), b"ab", None]
ARROWS: list[Operator] = [
    operator
    for operators in table().values()
    for operator in operators
    if operator.signature.mark == "->" and operator.signature.source.name == "Collection" and not operator.effects
    if operator.name != "isNullOrEmpty"  # which also accepts a text
]
CASES = [
    (operator, value)
    for operator in ARROWS
    for value in VALUES
    if operator.name not in NUMBERS_ONLY or type(value) in (int, Decimal, type(None))
]


def argument(parameter: ParameterPattern, source: str) -> str:
    """Return an operand for a parameter of an operator with a source."""
    match parameter.pattern.name:
        case "Boolean" if parameter.variables:
            return "x | true"
        case "U" | "Any":
            return "x | x"
        case "Integer":
            return "1"
        case "String":
            return "'-'"
        case "Type":
            return "Customer"
    return source


def result_of(operator: Operator, source: str, kind: Type, value: Any, session: Session) -> Any:
    """Return the result of an operator, where the source mentions a variable `v` of a type."""
    arguments = ", ".join(argument(parameter, "v") for parameter in operator.signature.parameters)
    query = compile_query(f"{source}->{operator.name}({arguments})", names(), variables={"v": kind})
    return query(session=session, v=value)


@pytest.mark.parametrize(("operator", "value"), CASES, ids=lambda value: getattr(value, "text", repr(value)))
def test_each_operator_of_collections_takes_a_single_value_as_a_set_of_itself(
    sqlite: Session, operator: Operator, value: Any
) -> None:
    kind = type_of_value(value)
    element = ANY if kind == NULL else kind
    as_set = [] if value is None else [value]
    takes_a_collection = any(parameter.pattern.name == "Collection" for parameter in operator.signature.parameters)

    of_unknown = result_of(operator, "v", ANY, value, sqlite)

    assert of_unknown == result_of(operator, "Set{v}", ANY, value, sqlite)
    if takes_a_collection:  # whose type must be known
        assert of_unknown == result_of(operator, "v", CollectionType("Set", element), as_set, sqlite)
    else:
        assert of_unknown == result_of(operator, "v", kind, value, sqlite)
        assert of_unknown == result_of(operator, "Set{v}", kind, value, sqlite)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_iterate_and_the_difference_take_a_single_value_as_a_set_of_itself(sqlite: Session, value: Any) -> None:
    """Iterate and the minus between collections are no operators after an arrow, but treat values alike."""

    def ask(text: str) -> Any:
        return compile_query(text, names(), variables={"v": ANY})(session=sqlite, v=value)

    assert ask("v->iterate(x; n : Integer = 0 | n + 1)") == (0 if value is None else 1)
    assert ask("Set{'a', v} - v") == ask("Set{'a', v}->difference(v)") == ["a"]


def test_an_object_of_unknown_type_is_a_set_of_itself(sqlite: Session) -> None:
    ada = sqlite.get_one(Customer, 1)

    def ask(text: str) -> Any:
        return compile_query(text, names(), variables={"found": ANY})(session=sqlite, found=ada)

    assert ask("found->size") == 1
    assert ask("found->select(x | x = found)->first") is ada
    assert ask("found->union(found)") == [ada]
    assert ask("Customer.allInstances->excluding(found)->size") == 2
    assert ask("Customer.allInstances->difference(found)->size") == 2


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ([1, None, [2, 3]], [1, 2, 3]),
        ((1, 2), [1, 2]),
        ({5}, [5]),
        ([], []),
        ({"a": 1}, [{"a": 1}]),
        (["ab"], ["ab"]),
    ],
)
def test_a_collection_of_unknown_type_counts_as_its_elements(sqlite: Session, value: Any, elements: list[Any]) -> None:
    """Collections hold no nulls and no collections, whoever made them."""

    def ask(text: str) -> Any:
        return compile_query(text, names(), variables={"v": ANY})(session=sqlite, v=value)

    assert ask("v->asSequence") == elements
    assert ask("Sequence{v}") == elements
    assert ask("Sequence{1}->collect(x | v)") == elements
    assert ask("let s : Sequence(Any) = v in s->size") == len(elements)
    assert ask("if true then v else Set{9} endif->size") == len(elements)


@pytest.mark.parametrize("text", ["", "x", None, 0, [], [1]])
def test_is_null_or_empty_depends_on_the_value_where_the_type_is_unknown(sqlite: Session, text: Any) -> None:
    for mark in (".", "->"):
        query = compile_query(f"v{mark}isNullOrEmpty", names(), variables={"v": ANY})
        assert query(session=sqlite, v=text) is (text in ("", None, []) and text != 0)


def test_a_single_object_is_assigned_to_an_association_end_as_a_set_of_itself(sqlite: Session) -> None:
    ada, bob = sqlite.get_one(Customer, 1), sqlite.get_one(Customer, 2)
    action = compile_action("self.referred := found", names(), Customer, variables={"found": ANY})

    action(ada, session=sqlite, found=bob)
    assert ada.referred == [bob]
    action(ada, session=sqlite, found=None)
    assert ada.referred == []


SINGLE = [
    ("Customer.allInstances->select(c | c.note->size = 1)", [2, 3]),
    ("Customer.allInstances->select(c | c.note->isEmpty)", [1]),
    ("Customer.allInstances->select(c | c.number->exists(n | n > 7))", [3]),
    ("Customer.allInstances->select(c | c.number->forAll(n | n > 7))", [2, 3]),
    ("Customer.allInstances->select(c | c.number->sum = 0)", [2]),
    ("Customer.allInstances->select(c | c.number->includes(9))", [3]),
    ("Customer.allInstances->select(c | c.note->first = c.note->last)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.referrer->size = 1)", [2, 3]),
    ("Customer.allInstances->select(c | c.referrer->select(r | r.number = 7)->notEmpty)", [2, 3]),
    ("Customer.allInstances->select(c | c.referrer->first.name = 'Ada')", [2, 3]),
    ("Customer.allInstances->select(c | c.referrer->includes(c.referrer))", [2, 3]),
    ("Customer.allInstances->select(c | c.referrer.isNullOrEmpty)", [1]),
    ("Customer.allInstances->select(c | c.note->isNullOrEmpty)", [1, 2]),
    ("Customer.allInstances->select(c | c.number->isNullOrEmpty)", [2]),
    ("Customer.allInstances->select(c | c.number->maxValue = c.number->minValue)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.name->asSet->size = 1)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.name->subSequence(1, 1)->size = 1)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.referrer->collect(r | r.number)->sum = 7)", [2, 3]),
    ("Customer.allInstances->select(c | c.referrer->collect(r | r.orders)->size = 2)", [2, 3]),
    ("Customer.allInstances->select(c | c.orders->collect(o | o.customer->select(x | x = c))->size > 0)", [1, 2]),
    ("Customer.allInstances->collect(c | c.referrer->asSet)", [1, 1]),
    ("Customer.allInstances->select(c | word->includes(c.name))", [1]),
    ("Customer.allInstances->select(c | word->size = c.id)", [1]),
    ("Customer.allInstances->select(c | c.orders->at(0)->isEmpty)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.orders.at(1)->notEmpty)", [1, 2]),
    ("Customer.allInstances->select(c | c.orders.at(3).isNull)", [1, 2, 3]),
    ("Customer.allInstances->select(c | c.orders.total.at(-1).isNull)", [1, 2, 3]),
]


@pytest.mark.parametrize(("text", "keys"), SINGLE)
def test_a_value_of_a_row_is_a_set_of_itself_in_memory_and_in_sql(session: Session, text: str, keys: list[int]) -> None:
    in_memory = compile_query(text, names(), variables={"word": ANY})(session=session, word="Ada")
    by_sql = session.scalars(to_select(text, names(), variables={"word": ANY}, values={"word": "Ada"}))

    assert [customer.id for customer in in_memory] == keys
    assert sorted(customer.id for customer in by_sql) == keys


AFTER_A_DOT = [
    ("Sequence{'ab', 'cd'}.at(2)", "cd"),
    ("Sequence{'ab', 'cd'}.at(0)", None),
    ("Sequence{'ab', 'cd'}->at(3)", None),
    ("Sequence{'ab', 'cd'}->at(-1)", None),
    ("Sequence{'ab', 'cd'}.size", 2),
    ("Sequence{'ab', 'cd'}.indexOf('cd')", 2),
    ("Sequence{'ab', 'cd'}.first.at(2)", "b"),
    ("Sequence{'ab', ''}.isNullOrEmpty", False),
    ("Sequence{4, 9}.max", 9),
    ("Sequence{4, 9}.max(5)", [5, 9]),
    ("Sequence{'ab', 'cd'}.toUpper", ["AB", "CD"]),
    ("Sequence{'ab', 'cd'}.subSequence(2, 5)", ["cd"]),
    ("Sequence{'ab', 'cd'}.last", "cd"),
    ("'abc'.at(2)", "b"),
    ("'abc'->at(2)", None),
    ("'abc'->at(1)", "abc"),
    ("'abc'->indexOf('b')", 0),
    ("'abc'->subSequence(1, 1)", ["abc"]),
    ("'abc'->reverse", ["abc"]),
]


@pytest.mark.parametrize(("text", "right"), AFTER_A_DOT)
def test_an_operator_of_the_collection_goes_before_one_of_each_element(
    sqlite: Session, text: str, right: object
) -> None:
    assert compile_query(text, names())(session=sqlite) == right


def test_a_value_that_may_be_a_collection_has_no_sql() -> None:
    for text in ("extra->size = 1", "extra->notEmpty", "extra.isNullOrEmpty"):
        with pytest.raises(NotInSQL, match="may be a"):
            to_select(f"Node.allInstances->select({text})", NODE_NAMES)
