"""External ids name objects, and only what is written as Afterwork writes it is read back."""

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import MalformedExternalId
from afterwork.model.external_id import MAX_LENGTH, ExternalId, parse
from tests.conftest import Shop
from tests.support import shop
from tests.support.world import World, everything


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Thing(Base):
    __tablename__ = "thing"
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Oddity(Base):
    __tablename__ = "oddity"
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    moment: Mapped[dt.datetime] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(primary_key=True)
    colour: Mapped[Colour] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(primary_key=True)
    flag: Mapped[bool] = mapped_column(primary_key=True)


CLASSES: dict[str, Any] = {"Thing": inspect(Thing), "Oddity": inspect(Oddity)}

texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=100)
whole = st.integers(-(2**63), 2**63 - 1)
things = st.builds(Thing, name=texts, number=whole, id=st.uuids())
oddities = st.builds(
    Oddity,
    day=st.dates(),
    moment=st.datetimes(),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    colour=st.sampled_from(Colour),
    data=st.binary(max_size=50),
    flag=st.booleans(),
)


@given(things | oddities)
def test_an_external_id_is_read_back_as_the_key_that_it_was_written_from(obj: Any) -> None:
    text = aw.external_id(obj)

    found = parse(text, CLASSES)

    assert found == ExternalId(inspect(obj).mapper, tuple(inspect(obj).mapper.primary_key_from_instance(obj)))
    assert str(found) == text


@given(things, things)
def test_two_objects_have_one_external_id_only_if_they_have_one_key(one: Thing, other: Thing) -> None:
    same = (one.name, one.number, one.id) == (other.name, other.number, other.id)

    assert (aw.external_id(one) == aw.external_id(other)) == same


EQUAL: list[list[Any]] = [
    [Decimal("1.50"), Decimal("1.5")],
    [Decimal("100"), Decimal("1E+2"), Decimal("100.00")],
    [Decimal("-0.00"), Decimal(0)],
    [Decimal("1E+5000"), Decimal("10E+4999")],
    [2.0, 2],
    [dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, 17, 30, tzinfo=ZoneInfo("Asia/Kolkata"))],
]


@pytest.mark.parametrize("keys", EQUAL)
def test_equal_keys_are_written_alike(keys: list[Any]) -> None:
    """The database gives back a number with other zeros, or a timestamp in another zone, than it was given."""
    assert len({str(ExternalId(inspect(Thing), (key,))) for key in keys}) == 1


@given(st.text(max_size=200) | st.builds("Thing!{}!{}!{}".format, texts, st.text(max_size=9), st.text(max_size=40)))
def test_whatever_the_text_it_is_either_an_external_id_or_refused(text: str) -> None:
    """Nothing but the one error is raised, and what is read is written in the same way."""
    try:
        found = str(parse(text, CLASSES))
    except MalformedExternalId:
        found = text

    assert found == text


MALFORMED = {
    "": "is no external id. One looks like Customer!42.",
    "Customer": "has 0 key parts, the primary key of Customer has 1",
    "Customer!": "'' is no int, as id needs",
    "Customer!abc": "'abc' is no int, as id needs",
    "Customer!1!2": "has 2 key parts, the primary key of Customer has 1",
    "Customer!01": "is not written as Afterwork writes it: 'Customer!1'",
    "Customer!+1": "'+1' is no int",
    "Customer! 1": "' 1' is no int",
    "Customer!١": "is no int",
    "Customer!1.0": "'1.0' is no int",
    "Customer!9223372036854775808": "is no int",
    "Customer!" + "9" * 10_000: "is no external id",
    "x" * 10_000: "(10,002 characters) is no external id",
    "customer!1": "begins with no class of the model",
    "Nobody!1": "begins with no class of the model",
    "SysAsyncTicket": "has 0 key parts",
    "Customer!1; DROP TABLE customer": "is no int",
    "Customer!1' OR '1'='1": "is no int",
    "Customer!1\n": "is no int",
    "Order!not-a-uuid": "is no UUID, as id needs",
    "Order!{00000000-0000-0000-0000-00000000002a}": "is not written as Afterwork writes it",
    "__class__!1": "begins with no class of the model",
}


def test_a_ticket_with_a_malformed_root_id_says_what_is_wrong_with_it(the_shop: Shop) -> None:
    """And its work doesn't run, and the others of the batch do."""
    with the_shop.session() as session, session.begin():
        for text in MALFORMED:
            session.add(shop.SysAsyncTicket(view_model="Customer.assign_number", root_id=text))
        ann = shop.add_customer(session)
        session.add(shop.SysAsyncTicket(view_model="Customer.assign_number", root_object=ann))

    the_shop.run()

    *bad, good = everything(the_shop.engine, shop.SysAsyncTicket)
    for ticket, (text, said) in zip(bad, MALFORMED.items(), strict=True):
        assert ticket.root_id == text
        assert ticket.error.startswith("RootId: ")
        assert said in ticket.error
        assert len(ticket.error) < 1000
        assert ticket.done is not None
    assert good.error is None
    assert shop.numbers(the_shop.engine) == [1]


def test_a_nul_is_refused_before_it_comes_to_the_database() -> None:
    with pytest.raises(MalformedExternalId, match="is no external id"):
        parse("Customer!\0", CLASSES)


def test_an_object_is_found_by_its_external_id(engine: Engine) -> None:
    world = World(engine, Base)
    thing = Thing(name="a!b%c", number=-1, id=uuid.uuid4())
    with world.session() as session, session.begin():
        session.add(thing)

    with Session(engine) as session:
        assert aw.external_id(aw.from_external_id(session, aw.external_id(thing), Base)) == aw.external_id(thing)
        assert aw.from_external_id(session, f"Thing!x!1!{uuid.uuid4()}", Base) is None
        with pytest.raises(MalformedExternalId):
            aw.from_external_id(session, "Thing!x", Base)


def test_what_has_no_key_or_is_not_mapped_has_no_external_id() -> None:
    with pytest.raises(MalformedExternalId, match="Customer has no primary key yet"):
        aw.external_id(shop.Customer(name="Ann"))
    with pytest.raises(MalformedExternalId, match="is no mapped object"):
        aw.external_id(object())
    with pytest.raises(MalformedExternalId, match="is no mapped object"):
        aw.external_id(shop.Customer)


def test_a_key_too_long_to_keep_in_a_ticket_is_refused_when_it_is_read() -> None:
    long = aw.external_id(Thing(name="x" * MAX_LENGTH, number=1, id=uuid.uuid4()))

    with pytest.raises(MalformedExternalId):
        parse(long, CLASSES)
