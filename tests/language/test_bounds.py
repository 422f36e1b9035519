"""Expressions reach nothing outside the model, and take neither time nor memory without end."""

import time

import pytest
from sqlalchemy.orm import Session

from afterwork.errors import CantEvaluate, LanguageError, TooMuch, UnknownName, WrongType
from afterwork.language.query import compile_action, compile_query
from tests.support.language.model import Customer, Order, names


@pytest.mark.parametrize(
    "text",
    [
        "self.secret",
        "self.__class__",
        "self.__dict__",
        "self.registry",
        "self.metadata",
        "self._sa_instance_state",
        "Customer.__subclasses__",
        "Customer.registry",
        "self.name.__class__",
        "self.name.encode",
        "self.orders.__len__",
        "Tuple{a = 1}._fields",
        "Tuple{a = 1}.__class__",
        "DateTime.max",
        "Kind.__members__",
        "Kind.mro",
        "__import__('os')",
        "open('/etc/passwd')",
        "self.compute_total",
    ],
)
def test_an_expression_reaches_nothing_outside_the_model(text: str) -> None:
    with pytest.raises(UnknownName):
        compile_query(text, names(), Customer)


DOUBLED = ", ".join(f"a{n + 1} = a{n} + a{n}" for n in range(60))
UNITED = ", ".join(f"a{n + 1} = a{n}->union(a{n})" for n in range(60))
TUPLES = ", ".join(f"a{n + 1} = Tuple{{x = a{n}, y = a{n}}}" for n in range(60))
GROUPED = "->groupBy(x | x)" * 40
SQUARED = ", ".join(f"a{n + 1} = a{n} * a{n}" for n in range(40))
BLANKS = ", ".join(f"a{n + 1} = a{n}.replace('a', a{n})" for n in range(40))


@pytest.mark.parametrize(
    "text",
    [
        f"let a0 = 'a', {DOUBLED} in a60.length",
        f"let a0 = Sequence{{1, 2}}, {UNITED} in a60->size",
        f"let a0 = 1, {TUPLES} in a60 = a60",
        f"Sequence{{1}}{GROUPED}->size",
        f"let a0 = 10, {SQUARED} in a40",
        f"let a0 = 10.5, {SQUARED} in a40.asString",
        f"let a0 = 'aaaaaaaa', {BLANKS} in a40.length",
        "let s = Sequence{1..3000} in s->forAll(a, b, c | a + b + c > 0)",
        "Sequence{1..1000000}->collect(x | Sequence{1..1000000})->size",
        "Sequence{1..100000}->iterate(x; s : String = 'x' | s + s)",
        "'x'.padLeft(900000000000)",
        "let s = 'x'.padLeft(900000) in String.format(s.replace(' ', '{0}'), s)",
        "let s = 'x'.padLeft(900000, 'a') in s.replace('a', s)",
        "let s = 'x'.padLeft(900000) in Sequence{1..100000}->collect(x | s)->asCommaList",
        "let s = 'x'.padLeft(99999, 'a') in s.sqlLike('%a%a%a%a%a%a%a%a%a%a%b%a%a%a%a%a%a%a%a%a%b')",
        "Sequence{1..1000000}->closure(x | x + 1)->size",
        "self.name.padLeft(1 / 0)",
        "(" * 3000 + "1" + ")" * 3000,
        "not " * 3000 + "true",
        "if true then " * 90 + "1" + " else 2 endif" * 90,
    ],
)
def test_every_expression_ends_in_bounded_time(text: str, sqlite: Session) -> None:
    began = time.process_time()
    try:
        compile_query(text, names(), Customer)(sqlite.get_one(Customer, 1))
    except LanguageError as error:
        assert not isinstance(error, UnknownName), error  # noqa: PT017
    assert time.process_time() - began < 10


def test_a_query_answers_from_deep_in_the_stack(sqlite: Session) -> None:
    asked = compile_query("self.plus(1)", names(), Customer)
    ada = sqlite.get_one(Customer, 1)

    def deeper(left: int) -> object:
        return asked(ada) if left == 0 else deeper(left - 1)

    assert deeper(500) == 2


def test_nested_loops_share_one_budget() -> None:
    with pytest.raises(TooMuch) as caught:
        compile_query("Sequence{1..4000}->exists(a | Sequence{1..4000}->exists(b | a + b < 0))", names())()

    assert "looks at more than 1,000,000 elements" in str(caught.value)


def test_an_error_of_an_evaluation_has_its_position(sqlite: Session) -> None:
    with pytest.raises(CantEvaluate) as caught:
        compile_query("1 +\n  Integer.parse(self.name)", names(), Customer)(sqlite.get_one(Customer, 1))

    assert (caught.value.line, caught.value.column) == (2, 3)


def test_a_class_and_a_member_of_one_name_but_for_case_are_distinct() -> None:
    compile_query("Order.allInstances.customer->size", names(), Order)
    compile_query("Customer.allInstances->includes(customer)", names(), Order)
    compile_query("Customer.allInstances->includes(self.Customer)", names(), Order)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("self.orders + 1", "+ can't take OrderedSet(Order) and Integer"),
        ("self.name->exists(c | c)", "exists can't take String here"),
        ("self.orders->collect(1, 2)", "It is written as Collection(T)->collect(T | U)"),
        ("self.name.substring('a', 1)", "substring can't take String here"),
        ("if 1 then 2 else 3 endif", "if takes a Boolean, and this is Integer"),
        ("self.orders < 1", "are never alike"),
        ("self.kind < #Large", "< can't take Kind"),
        ("Set{1..'a'}", "A range goes from Integer to Integer"),
        ("self.orders->iterate(o | o)", "It is written as Collection(T)->iterate"),
        ("self.number?", "? asks whether a method may run now"),
        ("self.orders->select(a, b | a = b)", "select takes one variable"),
        ("'a' + self.orders", "+ can't take String and OrderedSet(Order)"),
    ],
)
def test_wrong_types_are_refused_before_anything_runs(text: str, problem: str) -> None:
    with pytest.raises(WrongType) as caught:
        compile_action(text, names(), Customer)

    assert problem in str(caught.value)
