"""OCLps becomes one statement, or is refused with its position."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from afterwork.clock import ManualClock
from afterwork.errors import NotInSQL
from afterwork.language.query import to_select, to_values
from afterwork.language.typed.names import Names
from afterwork.language.typed.types import INTEGER, ObjectType
from tests.support.language.model import NOON, Base, Customer, Order, names


class Noon(ManualClock):
    """It is noon on the day on which the first order is due."""

    def __init__(self) -> None:
        super().__init__()
        self._now = NOON


@pytest.fixture
def sent(session: Session) -> Iterator[list[str]]:
    """The statements that are sent."""
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *others: object) -> None:
        statements.append(statement)

    engine = session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_a_criterion_is_one_statement(session: Session, sent: list[str]) -> None:
    criterion = "Order.allInstances->select(o | (o.customer.name = 'Ada') and o.lines->exists(l | l.quantity > 2))"

    assert [order.id for order in session.scalars(to_select(criterion, names()))] == [1]
    assert len(sent) == 1
    assert sent[0].count("JOIN") == 1
    assert sent[0].count("EXISTS") == 1


def test_an_association_end_that_is_mentioned_twice_is_joined_once() -> None:
    statement = to_select("Order.allInstances->select((customer.name = 'a') or (customer.number = 1))", names())

    assert str(statement).count("JOIN") == 1


def test_the_clock_is_read_when_the_statement_is_made(session: Session) -> None:
    known = Names.of(Base, clock=Noon())
    overdue = to_select("Order.allInstances->select(due < DateTime.Now.addDays(1))", known)

    assert [order.id for order in session.scalars(overdue)] == [1]


def test_variables_are_parameters(session: Session) -> None:
    text = "Order.allInstances->select(o | (o.customer = c) and (o.id > n))"
    statement = to_select(
        text,
        names(),
        variables={"c": ObjectType(Customer), "n": INTEGER},
        values={"c": session.get_one(Customer, 1), "n": 1},
    )

    assert [order.id for order in session.scalars(statement)] == [2]


def test_a_select_can_be_narrowed_further(session: Session) -> None:
    statement = to_select("Order.allInstances->reject(paid)", names()).limit(1)

    assert [order.id for order in session.scalars(statement)] == [2]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("self.orders.total->sum", [Decimal("200.10"), Decimal(0), Decimal(0)]),
        ("self.orders->size", [2, 1, 0]),
        ("self.referrer.name", [None, "Ada", "Ada"]),
        ("self.referrer", [None, 1, 1]),
        ("self.orders->first.total", [Decimal(50), Decimal(0), None]),
        ("self.orders->exists(o | o.due < DateTime.Now)", [True, False, False]),
        ("if self.number > 7 then 'late' else self.name endif", ["Ada", "bob", "late"]),
        ("self.orders.tags.name->asSet->size", [2, 0, 0]),
        ("self.orders->select(o | o.total > self.number)->size", [2, 0, 0]),
        ("self.orders->orderDescending(o | o.total)->first", [2, 3, None]),
    ],
)
def test_the_values_of_all_objects_are_one_statement(text: str, values: list[object], session: Session) -> None:
    statement = to_values(text, names(), Customer)

    found = sorted(session.execute(statement), key=lambda row: row[0])

    assert [value for _, value in found] == values


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Order.allInstances->select(o | o.customer.name.toUpper = 'A')", "o.customer.name.toUpper"),
        ("Customer.allInstances->select(c | c.AssignNumber?)", "c.AssignNumber?"),
        ("Customer.allInstances->collect(c | c.plus(1))", "c.plus(1)"),
        ("Order.allInstances->groupBy(o | o.paid)", "Order.allInstances->groupBy(o | o.paid)"),
        ("Order.allInstances->collect(o | Tuple{a = o.id})", "Tuple{a = o.id}"),
        ("Order.allInstances.customer->asSet->first", "Order.allInstances.customer->asSet"),
        ("Order.allInstances->orderBy(id)->subSequence(1, 2)->select(o | o.paid)", "subSequence"),
        ("Customer.allInstances->select(c | c.credit + 1 > 2)", "c.credit"),
        ("Customer.allInstances.credit->sum", "Customer.allInstances.credit->sum"),
        ("Order.allInstances->select(o | o.made.formatDateTime('yyyy') = '2024')", "o.made.formatDateTime('yyyy')"),
    ],
)
def test_a_part_that_can_not_become_sql_is_refused_by_name(text: str, part: str) -> None:
    with pytest.raises(NotInSQL) as caught:
        to_select(text, names())

    assert part in caught.value.problem
    assert "can't become SQL" in caught.value.problem


def test_let_that_becomes_too_long_once_written_out_is_refused() -> None:
    lets = ", ".join(f"a{n + 1} = a{n}->union(a{n})" for n in range(40))

    with pytest.raises(NotInSQL, match="too long"):
        to_select(f"let a0 = Order.allInstances, {lets} in a40", names())


def test_a_timestamp_without_time_zone_is_compared_in_utc(session: Session) -> None:
    session.get_one(Order, 2).made = (NOON + timedelta(hours=1)).replace(tzinfo=None)
    session.flush()
    later = to_select("Order.allInstances->select(made > DateTime.parse('2024-02-29T13:30+01:00'))", names())

    assert [order.id for order in session.scalars(later)] == [2]
