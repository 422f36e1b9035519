"""Expressions know the members of a model however they are mapped, and names however they are spelt."""

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Engine, Enum, ForeignKey, Integer, String, Table, create_engine, inspect, null
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry, relationship

from afterwork.errors import UnknownName, WrongType
from afterwork.language.query import compile_action, compile_query, to_select
from afterwork.language.typed.members import type_of_value
from afterwork.language.typed.names import Names
from afterwork.language.typed.types import ANY, INTEGER, NULL, STRING, CollectionType, ObjectType
from tests.support.language.nodes import NODE_NAMES, Node, NodeBase


@pytest.fixture
def session() -> Any:
    engine = create_engine("sqlite://")
    NodeBase.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Node(id=1), Node(id=2, parent_id=1, color="blue"), Node(id=3, parent_id=1)])
        session.flush()
        yield session


def ask(text: str, session: Session) -> Any:
    return compile_query(text, NODE_NAMES, Node)(session.get_one(Node, 1), session=session)


def test_names_that_differ_only_in_case_and_underscores_match_exactly(session: Session) -> None:
    assert ask("self.fooBar", session) == 1
    assert ask("self.foo_bar", session) == 2
    with pytest.raises(UnknownName):
        ask("self.FooBar", session)


def test_an_association_end_that_is_a_python_set_is_read_and_changed(session: Session) -> None:
    def do(text: str) -> Any:
        return compile_action(text, NODE_NAMES, Node)(session.get_one(Node, 1), session=session)

    assert ask("self.children->size", session) == 2
    do("self.children.remove(self.children->any(n | n.id = 2)); self.children.add(Node.Create)")
    assert {node.id for node in session.get_one(Node, 1).children} == {3, None}
    session.get_one(Node, 1)
    do("self.children.clear")
    assert session.get_one(Node, 1).children == set()
    do("self.children := Node.allInstances->select(n | n.id = 2)")
    assert {node.id for node in session.get_one(Node, 1).children} == {2}


def test_an_enumeration_of_texts_is_a_text(session: Session) -> None:
    assert ask("self.color = #red", session) is True
    statement = to_select("Node.allInstances->select(color = #blue)", NODE_NAMES)
    assert [node.id for node in session.scalars(statement)] == [2]


def test_a_value_of_unknown_type_can_be_compared_with_null_and_returned(session: Session) -> None:
    assert ask("self.extra", session) == {}
    assert ask("self.extra.isNull", session) is False
    with pytest.raises(UnknownName):
        ask("self.extra.keys", session)


def test_a_column_property_is_read_and_not_set(session: Session) -> None:
    assert ask("self.twice", session) == 2
    assert session.scalars(to_select("Node.allInstances->collect(twice)->sum", NODE_NAMES)).one() == 6
    with pytest.raises(WrongType, match="twice can't be set"):
        compile_action("self.twice := 1", NODE_NAMES, Node)


def test_an_association_end_without_a_collection_is_no_member() -> None:
    with pytest.raises(UnknownName):
        compile_query("self.asked", NODE_NAMES, Node)


def test_classes_may_be_mapped_imperatively() -> None:
    mapped = registry()

    class Thing: ...

    table = Table("thing", mapped.metadata, Column("ThingId", Integer, primary_key=True), Column("THE_NAME", String))
    mapped.map_imperatively(Thing, table)
    engine = create_engine("sqlite://")
    mapped.metadata.create_all(engine)

    with Session(engine) as session:
        create = compile_action("let t = Thing.Create in t.TheName := 'x'", Names.of(mapped))
        create(session=session)
        session.flush()
        assert compile_query("Thing.allInstances.the_name", Names.of(mapped))(session=session) == ["x"]
    mapped.dispose()


def test_a_value_of_python_has_a_type_of_the_language() -> None:
    assert type_of_value(None) == NULL
    assert type_of_value([1, None, 2]) == CollectionType("Sequence", INTEGER)
    assert type_of_value("x") == STRING
    assert type_of_value(Node()) == ObjectType(Node)


def test_variables_are_passed_by_name(session: Session) -> None:
    query = compile_query(
        "ids->includes(self.id) and (n.id = 1)",
        NODE_NAMES,
        Node,
        variables={"ids": CollectionType("Sequence", INTEGER), "n": ObjectType(Node)},
    )
    node = session.get_one(Node, 1)

    assert query(node, ids=[1, 2], n=node) is True
    with pytest.raises(ValueError, match="Its variables are ids, n, not ids"):
        query(node, ids=[])


# Names that mean several things


class Size(enum.Enum):
    Small = 1
    Large = 2


class Clashing(DeclarativeBase): ...


class Hall(Clashing):
    __tablename__ = "hall"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(default=40)
    first: Mapped[str] = mapped_column(default="door")


SizeOfTrip = Size


class Trip(Clashing):
    """A class with members named like a class, an enumeration, a type of values, and operators."""

    __tablename__ = "trip"
    id: Mapped[int] = mapped_column(primary_key=True)
    hall_id: Mapped[int | None] = mapped_column(ForeignKey("hall.id"))
    Size: Mapped[SizeOfTrip] = mapped_column(Enum(Size), default=Size.Large)
    DateTime: Mapped[str] = mapped_column(default="noon")
    Hall: Mapped["Hall | None"] = relationship()


@pytest.fixture
def trip() -> Iterator[Trip]:
    engine = create_engine("sqlite://")
    Clashing.metadata.create_all(engine)
    with Session(engine) as session:
        trip = Trip(Hall=globals()["Hall"]())
        session.add(trip)
        session.flush()
        yield trip


CLASHING: list[tuple[str, Any]] = [
    ("Hall.allInstances->size", 1),
    ("Hall->allInstances->size", 1),
    ("Hall::allInstances->size", 1),
    ("Hall.allInstances->first = Hall", True),
    ("Hall.nullValue->isNull", True),
    ("Hall.emptyList->size", 0),
    ("Hall.attributes->size", 3),
    ("Hall.oclSingleton = self.Hall", True),
    ("Hall.PSEvalValue(Hall.allInstances->size)", 1),
    ("Hall.size", 40),
    ("Hall->size", 1),
    ("Hall.first", "door"),
    ("Hall->first = Hall", True),
    ("self.Hall.oclIsKindOf(Hall)", True),
    ("Hall.oclIsTypeOf(Hall)", True),
    ("Hall.safeCast(Hall).size", 40),
    ("Hall.oclAsType(Hall).size", 40),
    ("Hall.oclType = Hall", True),
    ("Hall = Hall.oclType", True),
    ("Hall.allInstances->filterOnType(Hall)->size", 1),
    ("Trip.allInstances->select(Hall | Hall.oclIsKindOf(Trip))->size", 1),
    ("let Hall = 3 in Hall + Hall.allInstances->size", 4),
    ("Size::Large = Size", True),
    ("Size = Size.Large", True),
    ("Size = Size::Small", False),
    ("self.Size = #Large", True),
    ("Size.nullValue.isNull", True),
    ("DateTime", "noon"),
    ("DateTime.Now.isNull", False),
    ("DateTime::Now->notNull", True),
    ("DateTime.size", 4),
]


@pytest.mark.parametrize(("text", "right"), CLASHING)
def test_a_name_means_the_type_where_only_a_type_makes_sense(trip: Trip, text: str, right: object) -> None:
    assert compile_query(text, Names.of(Clashing), Trip)(trip) == right


def test_an_association_end_named_like_its_class_is_set_to_a_new_object(trip: Trip) -> None:
    compile_action("self.Hall := Hall.Create; Hall.first := 'gate'", Names.of(Clashing), Trip)(trip)

    assert trip.Hall is not None
    assert trip.Hall.first == "gate"


def test_a_name_means_the_class_in_sql_where_only_a_class_makes_sense(trip: Trip) -> None:
    session = inspect(trip).session
    assert session is not None

    def selected(text: str) -> Any:
        return session.scalars(to_select(text, Names.of(Clashing))).all()

    assert selected("Trip.allInstances->select(Hall.oclIsKindOf(Hall))") == [trip]
    assert selected("Trip.allInstances->select(Hall.allInstances->includes(Hall))") == [trip]
    assert selected("Trip.allInstances->select(Size = Size::Large)") == [trip]


@pytest.mark.parametrize(
    "text", ["Hall.allInstancez", "Hall::alInstances", "Size::Larg", "Hal::allInstances", "Size.Larg"]
)
def test_a_name_that_neither_the_member_nor_the_type_has_is_refused_with_suggestions(text: str) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        compile_query(text, Names.of(Clashing), Trip)


def test_a_member_with_the_exact_name_goes_before_a_variable_spelt_otherwise(trip: Trip) -> None:
    """Exact names go first, whatever they name."""
    query = compile_query("DateTime", Names.of(Clashing), Trip, variables={"date_time": ANY})
    assert query(trip, date_time="later") == "noon"
    exact = compile_query("DateTime", Names.of(Clashing), Trip, variables={"DateTime": ANY})
    assert exact(trip, DateTime="later") == "later"


class Leaf(Clashing):
    __tablename__ = "leaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    extra: Mapped[Any | None] = mapped_column(JSON)


def test_null_in_json_is_null_as_a_column_and_as_a_text(engine: Engine) -> None:
    Clashing.metadata.create_all(engine, [Clashing.metadata.tables["leaf"]])
    with Session(engine) as session:
        stored: dict[int, Any] = {1: {}, 2: None, 3: null(), 4: "null", 5: [None]}
        session.add_all(Leaf(id=key, extra=extra) for key, extra in stored.items())
        session.flush()
        session.expire_all()
        text = "Leaf.allInstances->select(extra.isNull)"

        in_memory = compile_query(text, Names.of(Clashing))(session=session)
        by_sql = session.scalars(to_select(text, Names.of(Clashing))).all()

        assert [leaf.id for leaf in in_memory] == [2, 3]
        assert [leaf.id for leaf in by_sql] == [2, 3]
