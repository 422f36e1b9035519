"""Any text gives a value or an error of the language, in bounded time."""

import contextlib
import os
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from afterwork.errors import LanguageError
from afterwork.language.operators.table import table
from afterwork.language.query import check, compile_action, compile_query, to_select
from afterwork.language.run.evaluation import Budget
from afterwork.language.syntax.parse import parse
from tests.support.language.model import Base, Customer, fill, names
from tests.support.language.random_expressions import LEAVES, OPERATORS, ExpressionMaker

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))
SMALL = Budget(steps=2_000, size=500, length=2_000)
WORDS = [
    *{operator.name for operators in table().values() for operator in operators},
    *[
        "self",
        "name",
        "number",
        "orders",
        "lines",
        "total",
        "customer",
        "paid",
        "due",
        "Customer",
        "Order",
        "Kind",
        "String",
        "DateTime",
        "x",
        "o",
    ],
    *[
        "let",
        "in",
        "if",
        "then",
        "else",
        "endif",
        "and",
        "or",
        "xor",
        "not",
        "implies",
        "div",
        "mod",
        "true",
        "false",
        "null",
        "iterate",
        "Tuple",
        "Set",
        "Bag",
    ],
    *[
        "(",
        ")",
        "{",
        "}",
        ",",
        ";",
        ":",
        "|",
        ".",
        "->",
        "..",
        "?",
        "=",
        "<>",
        "<",
        ">",
        "<=",
        ">=",
        "+",
        "-",
        "*",
        "/",
        ":=",
        "#Small",
        "'a'",
        "1",
        "2.5",
        "0",
    ],
]
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=25).map("".join),
)


@given(texts)
@settings(max_examples=120, deadline=timedelta(seconds=10), suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for dialect in ("original", "omg"):
        try:
            check(parse(text, dialect), names(), Customer)
        except LanguageError as error:
            assert error.line >= 1  # noqa: PT017


OPERANDS = (
    *[
        "1",
        "2",
        "0",
        "1.5",
        "'a'",
        "''",
        "null",
        "true",
        "self",
        "self.name",
        "self.number",
        "self.orders",
        "self.due",
        "#Small",
        "self.orders.total",
    ],
    *["Customer", "Order", "Order.allInstances", "Customer.allInstances", "Set{1,2}", "DateTime.Now", "Sequence{1..9}"],
)


def operand(depth: int) -> st.SearchStrategy[str]:
    """Generate texts that are mostly well-typed: operators of the table with any operands."""
    plain = st.sampled_from(OPERANDS)
    if depth == 0:
        return plain
    below = operand(depth - 1)
    name = st.sampled_from(sorted({operator.name for operators in table().values() for operator in operators}))
    mark = st.sampled_from([".", "->"])
    infix = st.sampled_from(
        ["and", "or", "xor", "implies", "=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "div", "mod"]
    )
    return st.one_of(
        plain,
        st.builds(lambda a, m, n: f"({a}){m}{n}", below, mark, name),
        st.builds(lambda a, m, n, b: f"({a}){m}{n}({b})", below, mark, name, below),
        st.builds(lambda a, m, n, b: f"({a}){m}{n}(x | {b})", below, mark, name, below),
        st.builds(lambda a, m, n, b, c: f"({a}){m}{n}({b}, {c})", below, mark, name, below, below),
        st.builds(lambda a, i, b: f"({a}) {i} ({b})", below, infix, below),
        st.builds(lambda a, b: f"let x = {a} in ({b})", below, below),
        st.builds(lambda a, b, c: f"if {a} then {b} else {c} endif", below, below, below),
    )


ENGINE = create_engine("sqlite://")
Base.metadata.create_all(ENGINE)


@st.composite
def well_typed(draw: Any) -> str:
    """Generate well-typed texts."""
    kind = draw(st.sampled_from(list(LEAVES)))
    return f"let c = self in {ExpressionMaker(draw(st.randoms()), OPERATORS).make(kind, draw(st.integers(1, 4)))}"


@given(operand(2) | well_typed())
@settings(
    max_examples=EXAMPLES, deadline=timedelta(seconds=10), suppress_health_check=list(HealthCheck), derandomize=True
)
def test_any_expression_gives_a_value_or_is_refused(text: str) -> None:
    with Session(ENGINE) as session:
        fill(session)
        session.flush()
        ada = session.get_one(Customer, 1)
        for compile_it in (compile_query, compile_action):
            with contextlib.suppress(LanguageError):
                compile_it(text, names(), Customer, budget=SMALL)(ada, session=session)
        try:
            statement = to_select(text, names(), Customer, values={"self": ada})
            statement.compile(ENGINE)
        except LanguageError:
            pass
