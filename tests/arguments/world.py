"""A model whose works take arguments of all kinds."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Color(Enum):
    RED = (255, 0, 0)
    BLUE = (0, 0, 255)


class Right(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Line:
    price: Decimal
    color: Color = Color.RED
    token: Annotated[str, aw.Secret] = ""


@dataclass
class Invoice:
    lines: list[Line]
    parent: Optional["Invoice"] = None
    notes: dict[str, str] = field(default_factory=dict)


class Point(NamedTuple):
    x: int
    y: int = 0


class Options(TypedDict):
    days: int
    note: NotRequired[str]


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]

    @aw.method
    def take(self, what: Any) -> None:
        self.note = repr(what)

    @aw.method
    def refund(self, amount: Decimal, /, reason: str = "none", *, to: "Customer | None" = None) -> None:
        self.note = f"{amount} {reason} {to and to.name}"

    @aw.method
    def login(self, user: str, token: Annotated[str, aw.Secret], line: Line | None = None) -> None:
        self.note = f"{user} {token}"

    @aw.method
    def unannotated(self, what, more=()) -> None:  # type: ignore[no-untyped-def]
        self.note = repr(what)


class Refund(aw.ViewModel[Order], root=Order):
    amount: Decimal = aw.variable()

    @aw.action
    def pay(self) -> None:
        self.root.note = repr(self.amount)


class Tidy(aw.ViewModel[None], model=Base):
    days: int = aw.variable(3)

    @aw.action
    def tidy(self) -> None:
        aw.session(self).add(Order(note=f"tidied {self.days}"))


class Outdated(Exception):
    """Stands for a failure of a job."""


VALUES: dict[str, tuple[Any, Any]] = {
    "None": (None, None),
    "a bool": (bool, True),
    "an int beyond floats": (int, 2**70 + 1),
    "a float": (float, 0.1),
    "an int for a float": (float, 3.0),
    "a text": (str, "å\0\ud800 \U0001f600"),
    "a Decimal": (Decimal, Decimal("12.50")),
    "a naive datetime": (datetime, datetime(2027, 1, 31, 12, 0, 0, 1)),
    "an aware datetime": (datetime, datetime(2027, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
    "a datetime in UTC": (datetime, datetime(2027, 1, 31, 12, tzinfo=UTC)),
    "a date": (date, date(2027, 1, 31)),
    "a time": (time, time(12, 30, 0, 5)),
    "a timedelta": (timedelta, timedelta(days=-1, microseconds=1)),
    "a UUID": (uuid.UUID, uuid.UUID(int=7)),
    "a member": (Color, Color.BLUE),
    "flags": (Right, Right.READ | Right.WRITE),
    "a Literal": (Literal["a", 1, None], 1),
    "a list": (list[Decimal], [Decimal("1.0"), Decimal(2)]),
    "a set": (set[date], {date(2027, 1, 1), date(2026, 1, 1)}),
    "a frozenset": (frozenset[int], frozenset({1, 2})),
    "a tuple": (tuple[int, str], (1, "a")),
    "a tuple of any length": (tuple[Color, ...], (Color.RED, Color.BLUE)),
    "a dict by texts": (dict[str, list[int]], {"b": [1], "a": []}),
    "a dict by dates": (dict[date, Decimal], {date(2027, 1, 1): Decimal(1)}),
    "an Optional": (date | None, date(2027, 1, 1)),
    "an Optional without": (date | None, None),
    "one of several": (date | str | None, "2027-01-01"),
    "another of several": (date | str | None, date(2027, 1, 1)),
    "numbers of both kinds": (int | float, 1.5),
    "a dataclass": (Line, Line(Decimal("9.90"), Color.BLUE, "s3cret")),
    "dataclasses within": (Invoice, Invoice([Line(Decimal(1))], Invoice([], None, {"a": "b"}))),
    "a named tuple": (Point, Point(1)),
    "a typed dict": (Options, {"days": 3}),
    "an annotated one": (Annotated[str, aw.Secret], "s3cret"),
    "anything that JSON has": (Any, {"a": [1, 2.5, None, True, "x"]}),
    "a bare list": (list, [1, "a"]),
    "a bare dict": (dict, {"a": 1}),
}
"""An annotation for each kind, and a value of it."""

WRONG: dict[str, tuple[Any, Any]] = {
    "a float for a Decimal": (Decimal, 12.5),
    "a text for a Decimal": (Decimal, "12.5"),
    "a Decimal that is no number": (Decimal, Decimal("nan")),
    "a bool for an int": (int, True),
    "nan": (float, float("nan")),
    "infinity": (float, float("inf")),
    "an int that is no float": (float, 2**53 + 1),
    "nan for anything": (Any, [float("nan")]),
    "a tuple for anything": (Any, (1,)),
    "an object for anything": (Any, object()),
    "keys that are no texts": (Any, {1: 2}),
    "a datetime for a date": (date, datetime(2027, 1, 1)),
    "a date for a datetime": (datetime, date(2027, 1, 1)),
    "a value of another enumeration": (Color, Right.READ),
    "none of a Literal": (Literal["a", 1], True),
    "too short a tuple": (tuple[int, str], (1,)),
    "a wrong item": (list[int], [1, "2"]),
    "a wrong field": (Line, Line("9.90")),  # type: ignore[arg-type]
    "a typed dict with more": (Options, {"days": 1, "more": 2}),
    "a typed dict with less": (Options, {}),
    "an object of another class": (Customer, Order()),
    "a class of objects": (Customer, Customer),
    "None": (int, None),
}
"""An annotation, and a value that it refuses."""

app = aw.Afterwork(Base)


@app.job
def greet(name: str, *, at: date | None = None, customer: Customer | None = None) -> None:
    """Greet somebody."""
    aw.session().add(Order(note=f"hello {name} {at} {customer and customer.name}"))


@app.job(name="tidy up", lane="nights", retry=aw.Retry(attempts=2, backoff=timedelta(0)))
def tidy_up() -> None:
    aw.session().add(Order(note="tidied"))
    if aw.current_run().attempt == 1:
        raise Outdated
