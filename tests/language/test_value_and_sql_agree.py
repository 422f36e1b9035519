"""Random expressions over random data have the same result as a value and as SQL, on both databases."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from afterwork.errors import LanguageError
from afterwork.language.query import compile_query, to_select
from afterwork.language.typed.types import CollectionType
from tests.support.language.cases import in_order, plain
from tests.support.language.model import Base, Customer, Kind, Line, Order, Tag, names
from tests.support.language.random_expressions import OPERATORS, WITH_SQL, ExpressionMaker

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))

# Data

numbers = st.integers(-3, 3)
maybe = st.none() | st.integers(-2, 2)
amounts = st.decimals(-3, 3, places=2)
words = st.sampled_from(["", "a", "b", "A", "ab", "%", "å", "a_b", " a "])
timestamps = st.none() | st.integers(0, 3).map(lambda days: datetime(2024, 2, 28, tzinfo=UTC) + timedelta(days=days))
naive = st.none() | st.datetimes(datetime(1969, 12, 30), datetime(2024, 3, 1))


@st.composite
def data(draw: Any) -> list[Any]:
    """Generate a few objects with nulls, duplicates and empty association ends."""
    customers = [
        Customer(
            id=key,
            name=draw(words),
            number=draw(maybe),
            note=draw(st.none() | words),
            kind=draw(st.sampled_from(list(Kind))),
            active=draw(st.none() | st.booleans()),
        )
        for key in range(1, draw(st.integers(1, 3)) + 1)
    ]
    for index, customer in enumerate(customers[1:]):
        customer.referrer = draw(st.none() | st.sampled_from(customers[: index + 1]))
    tags = [Tag(id=key, name=draw(words)) for key in (1, 2)]
    orders = [
        Order(
            id=key,
            customer=draw(st.none() | st.sampled_from(customers)),
            total=draw(amounts),
            due=draw(timestamps),
            made=draw(naive),
            grace=draw(maybe),
            patience=draw(st.none() | st.timedeltas(timedelta(-3), timedelta(3))),
            paid=draw(st.none() | st.booleans()),
            tags=draw(st.lists(st.sampled_from(tags), unique_by=id)),
        )
        for key in range(1, draw(st.integers(0, 4)) + 1)
    ]
    lines = [
        Line(id=n, order=draw(st.sampled_from(orders)), quantity=draw(numbers), price=draw(amounts))
        for n in range(1, draw(st.integers(0, 4)) + 1)
        if orders
    ]
    return [*customers, *tags, *orders, *lines]


# Expressions: one for each kind of row, with the row's variable

VALUES = {
    "c": {
        "int": [
            "c.number",
            "c.referrer.number",
            "c.orders->size",
            "c.orders.lines.quantity->sum",
            "c.name.length",
            "c.note.indexOf('b')",
            "if c.active then c.number else 1 endif",
            "c.active.caseTrueFalse(c.number, 0)",
            "c.orders.tags->asSet->size",
            "c.orders.paid->asSet->size",
            "c.number - c.referrer.number",
            "c.note->size",
            "c.number->sum",
            "c.referrer->collect(r | r.number)->maxValue",
            "c.referrer.referrer->select(r | r.active)->size",
            "c.orders->first->size",
        ],
        "dec": [
            "c.orders.total->sum",
            "c.orders.total->maxValue",
            "c.orders->first.total",
            "c.orders.total->avg",
            "c.orders->collect(o | o.total * 2)->minValue",
            "let t = c.orders.total->sum in t + t",
        ],
        "str": [
            "c.name",
            "c.note",
            "c.referrer.name",
            "c.name + c.note",
            "c.name.substring(1, 1)",
            "c.note.substring(0, 2)",
            "c.name.replace('a', 'bb')",
            "c.name.trim",
        ],
        "bool": [
            "c.active",
            "c.referrer.active",
            "c.orders->isEmpty",
            "c.referrer = c.referrer.referrer",
            "c.kind = #Large",
            "Set{0, 1}->includes(c.number)",
            "c.orders->includes(c.orders->first)",
            "c.referred->exists(r | r.number = c.number)",
            "c.oclIsKindOf(VipCustomer)",
            "c.orders.customer->forAll(x | x = c)",
            "c.note->isEmpty",
            "c.note->isNullOrEmpty",
            "c.number->exists(n | n > c.id)",
            "c.referrer->forAll(r | r.number = c.number)",
            "c.orders.at(2).isNullOrEmpty",
            "c.oclIsInState(#Active)",
        ],
    },
    "o": {
        "int": [
            "o.customer.number",
            "o.lines->size",
            "o.tags->size",
            "o.lines.quantity->sum",
            "o.due.day",
            "o.made.second",
            "o.made.dayOfWeek",
            "o.made.dayOfYear",
            "o.patience.totalMinutes.floor",
        ],
        "dec": [
            "o.total",
            "o.lines->collect(l | l.quantity * l.price)->sum",
            "o.lines.price->minValue",
            "o.total / 3",
            "o.total.max(o.lines.price->sum)",
        ],
        "str": ["o.customer.name", "o.customer.note", "o.tags.name->maxValue", "o.tags->last.name"],
        "moment": [
            "o.due",
            "o.made",
            "o.due.addDays(o.grace)",
            "o.made.addHours(o.total)",
            "(o.due + o.patience)",
            "(o.made - o.patience).addMilliseconds(o.total)",
            "o.made.addMonths(o.grace)",
            "o.due.addYears(o.grace)",
            "o.customer.born.addMinutes(o.grace)",
            "if o.paid then o.due else o.made endif",
            "o.made.date.addSeconds(0.25)",
        ],
        "span": ["o.patience", "(o.due - o.made)", "o.made.timeOfDay", "(o.patience + TimeSpan.fromHours(o.grace))"],
        "bool": [
            "o.paid",
            "o.customer.active",
            "o.due.isNull",
            "o.customer->isEmpty",
            "o.due > DateTime.parse('2024-02-29')",
            "o.due.addDays(o.grace) < DateTime.parse('2024-02-29')",
            "o.tags.name->includes('a')",
            "o.customer.orders->forAll(x | x.total <= o.total)",
            "let t = o.total in t > 1",
            "o.customer.orders->includes(o)",
            "Order.allInstances->exists(x | (x <> o) and (x.due = o.due))",
        ],
    },
    "l": {
        "int": [
            "l.quantity",
            "l.quantity div 2",
            "l.quantity mod 2",
            "l.order.customer.number",
            "l.quantity * l.quantity",
            "l.price.floor",
            "l.price.ceiling",
            "l.price.round",
            "-l.quantity",
        ],
        "dec": ["l.price", "l.price * l.quantity", "l.order.total - l.price", "l.price / l.quantity", "l.price.abs"],
        "str": ["l.order.customer.name"],
        "bool": ["l.order.paid", "l.order.customer.isNull", "l.order.lines->one(x | x.price = l.price)"],
    },
}
WITHIN = {
    "c": [("c.orders", "o"), ("c.orders.lines", "l"), ("c.referred", "c")],
    "o": [("o.lines", "l"), ("o.customer.orders", "o")],
    "l": [("l.order.lines", "l")],
}
LITERALS = {
    "int": "0 1 2 null",
    "dec": "0.5 1 -1 null",
    "str": "'' 'a' 'A' '%' null",
    "moment": "DateTime.parse('2024-02-29T06:00') null",
    "span": "TimeSpan.fromDays(1) null",
}
comparison = st.sampled_from(["=", "<>", "<", ">", "<=", ">="])


def condition(variable: str, depth: int) -> st.SearchStrategy[str]:
    """Generate conditions about a row."""
    known = VALUES[variable]
    compared = [
        st.builds(
            lambda a, op, b: f"({a} {op} {b})",
            st.sampled_from(known[kind]),
            comparison,
            st.sampled_from(known[kind]) | st.sampled_from(LITERALS[kind].split()),
        )
        for kind in LITERALS
        if kind in known
    ]
    texts = st.builds(
        lambda a, op, b: f"({a}).{op}({b})",
        st.sampled_from(known["str"]),
        st.sampled_from(["sqlLike", "sqlLikeCaseInsensitive", "startsWith", "endsWith", "contains"]),
        st.sampled_from(["'a%'", "'_'", "'A'", "''", "'%å'"]),
    )
    null = st.sampled_from([text for texts in known.values() for text in texts]).map(lambda text: f"({text})->isNull")
    simple = st.one_of(st.sampled_from(known["bool"]), texts, null, *compared)
    if depth == 0:
        return simple
    below = condition(variable, depth - 1)
    nested = st.sampled_from(WITHIN[variable]).flatmap(
        lambda within: st.builds(
            lambda op, body: f"{within[0]}->{op}({within[1]} | {body})",
            st.sampled_from(["exists", "forAll", "one"]),
            condition(within[1], depth - 1),
        )
    )
    logic = st.sampled_from(["and", "or", "xor", "implies"])
    return st.one_of(
        simple,
        nested,
        st.builds(lambda a, op, b: f"(({a}) {op} ({b}))", below, logic, below),
        below.map(lambda a: f"(not ({a}))"),
    )


def query(variable: str, cls: str) -> st.SearchStrategy[str]:
    """Generate collections, and operators on them."""
    kinds = VALUES[variable]
    rows = st.builds(
        lambda op, body: f"{cls}.allInstances->{op}({variable} | {body})",
        st.sampled_from(["select", "reject"]),
        condition(variable, 2),
    )
    expression = st.sampled_from([text for texts in kinds.values() for text in texts])
    number = st.sampled_from(kinds["int"] + kinds["dec"])
    return st.one_of(
        rows,
        rows.map(lambda rows: f"{rows}->size"),
        st.builds(lambda rows, e: f"{rows}->collect({variable} | {e})", rows, expression),
        st.builds(
            lambda rows, e, op: f"{rows}->collect({variable} | {e})->{op}",
            rows,
            number,
            st.sampled_from(["sum", "maxValue", "minValue", "size", "avg"]),
        ),
        st.builds(
            lambda rows, op, e, then: f"{rows}->{op}({variable} | {e}){then}",
            rows,
            st.sampled_from(["orderBy", "orderDescending"]),
            expression,
            st.sampled_from(["", "->first", "->last", "->at(2)", "->subSequence(2, 3)"]),
        ),
        st.builds(
            lambda a, op, b: f"{a}->{op}({b})",
            rows,
            st.sampled_from(["union", "intersection", "difference", "includesAll", "excludesAll"]),
            rows,
        ),
    )


queries = st.one_of(query("c", "Customer"), query("o", "Order"), query("l", "Line"))


# Each operator


@st.composite
def well_typed(draw: Any) -> str:
    """Generate expressions about each customer, with operators of all sorts."""
    kind = draw(st.sampled_from(["Integer", "Decimal", "Real", "String", "Boolean", "Customer", "Order"]))
    maker = ExpressionMaker(draw(st.randoms()), draw(st.sampled_from([OPERATORS, WITH_SQL, WITH_SQL])))
    return f"Customer.allInstances->collect(c | {maker.make(kind, draw(st.integers(1, 3)))})"


@given(data(), queries | well_typed())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_a_random_expression_has_the_same_result_as_a_value_and_as_sql(
    session: Session, objects: list[Any], text: str
) -> None:
    session.rollback()
    session.expunge_all()
    for table in reversed(Base.metadata.sorted_tables):
        session.execute(delete(table))
    session.add_all(objects)
    session.flush()
    session.expire_all()
    try:
        compiled = compile_query(text, names())
        value = plain(compiled(session=session))
        statement = to_select(text, names())
    except LanguageError as refused:
        event(type(refused).__name__)
        return
    kind = compiled.expression.tree.type
    rows = list(session.scalars(statement))
    by_sql = plain(rows) if isinstance(kind, CollectionType) else plain(rows[0] if rows else None)
    event("compared")

    assert near(in_order(by_sql, kind)) == near(in_order(value, kind))


def near(value: Any) -> Any:
    """Return numbers as exact as both databases store them."""
    match value:
        case list():
            return [near(item) for item in value]
        case float() | Decimal():
            return round(float(value), 6) + 0.0
    return value
