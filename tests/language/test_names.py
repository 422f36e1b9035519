"""What is known of a model: members however they are mapped, names however they are written."""

import enum
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Engine, Enum, ForeignKey, Integer, String, Table, create_engine, inspect, null
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column, registry, relationship

from afterwork.errors import UnknownName, WrongType
from afterwork.language import Names, compile_action, compile_query, to_select
from afterwork.language.typed.members import type_of_value
from afterwork.language.typed.types import ANY, INTEGER, NULL, STRING, CollectionType, ObjectType


class Base(DeclarativeBase): ...


class Node(Base):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    color: Mapped[str] = mapped_column(Enum("red", "blue"), default="red")
    extra: Mapped[Any] = mapped_column(JSON, default=dict)
    fooBar: Mapped[int] = mapped_column(default=1)
    foo_bar: Mapped[int] = mapped_column(default=2)
    twice: Mapped[int] = column_property(fooBar * 2)
    children: Mapped[set["Node"]] = relationship(back_populates="parent")
    parent: Mapped["Node | None"] = relationship(back_populates="children", remote_side=[id])
    asked: Mapped[list["Node"]] = relationship(lazy="dynamic", viewonly=True)


names = Names.of(Base)


@pytest.fixture
def session() -> Any:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as made:
        made.add_all([Node(id=1), Node(id=2, parent_id=1, color="blue"), Node(id=3, parent_id=1)])
        made.flush()
        yield made


def ask(text: str, session: Session) -> Any:
    return compile_query(text, names, Node)(session.get_one(Node, 1), session=session)


def test_where_names_differ_in_nothing_else_only_exact_ones_are_found(session: Session) -> None:
    assert ask("self.fooBar", session) == 1
    assert ask("self.foo_bar", session) == 2
    with pytest.raises(UnknownName):
        ask("self.FooBar", session)


def test_a_set_is_read_added_to_and_set(session: Session) -> None:
    def do(text: str) -> Any:
        return compile_action(text, names, Node)(session.get_one(Node, 1), session=session)

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
    found = to_select("Node.allInstances->select(color = #blue)", names)
    assert [node.id for node in session.scalars(found)] == [2]


def test_what_is_not_known_can_be_compared_with_null_and_handed_on(session: Session) -> None:
    assert ask("self.extra", session) == {}
    assert ask("self.extra.isNull", session) is False
    with pytest.raises(UnknownName):
        ask("self.extra.keys", session)


def test_a_column_property_is_read_and_not_set(session: Session) -> None:
    assert ask("self.twice", session) == 2
    assert session.scalars(to_select("Node.allInstances->collect(twice)->sum", names)).one() == 6
    with pytest.raises(WrongType, match="twice can't be set"):
        compile_action("self.twice := 1", names, Node)


def test_an_end_that_gives_no_collection_is_no_member() -> None:
    with pytest.raises(UnknownName):
        compile_query("self.asked", names, Node)


def test_imperative_mapping_will_do() -> None:
    mapped = registry()

    class Thing: ...

    table = Table("thing", mapped.metadata, Column("ThingId", Integer, primary_key=True), Column("THE_NAME", String))
    mapped.map_imperatively(Thing, table)
    engine = create_engine("sqlite://")
    mapped.metadata.create_all(engine)

    with Session(engine) as made:
        create = compile_action("let t = Thing.Create in t.TheName := 'x'", Names.of(mapped))
        create(session=made)
        made.flush()
        assert compile_query("Thing.allInstances.the_name", Names.of(mapped))(session=made) == ["x"]
    mapped.dispose()


def test_the_types_of_values() -> None:
    assert type_of_value(None) == NULL
    assert type_of_value([1, None, 2]) == CollectionType("Sequence", INTEGER)
    assert type_of_value("x") == STRING
    assert type_of_value(Node()) == ObjectType(Node)


def test_variables_are_given_by_name(session: Session) -> None:
    query = compile_query(
        "ids->includes(self.id) and (n.id = 1)",
        names,
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


class Trip(Clashing):
    """Members are named as a class, an enumeration, a type of values, and operators."""

    __tablename__ = "trip"
    id: Mapped[int] = mapped_column(primary_key=True)
    hall_id: Mapped[int | None] = mapped_column(ForeignKey("hall.id"))
    Size: Mapped[Size] = mapped_column(Enum(Size), default=Size.Large)
    DateTime: Mapped[str] = mapped_column(default="noon")
    Hall: Mapped["Hall | None"] = relationship()


@pytest.fixture
def trip() -> Iterator[Trip]:
    engine = create_engine("sqlite://")
    Clashing.metadata.create_all(engine)
    with Session(engine) as session:
        made = Trip(Hall=globals()["Hall"]())
        session.add(made)
        session.flush()
        yield made


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
def test_a_type_is_meant_where_only_a_type_will_do(trip: Trip, text: str, right: object) -> None:
    assert compile_query(text, Names.of(Clashing), Trip)(trip) == right


def test_an_end_named_as_its_class_is_set_to_a_new_object(trip: Trip) -> None:
    compile_action("self.Hall := Hall.Create; Hall.first := 'gate'", Names.of(Clashing), Trip)(trip)

    assert trip.Hall is not None
    assert trip.Hall.first == "gate"


def test_a_class_named_as_an_end_is_meant_in_sql_too(trip: Trip) -> None:
    session = inspect(trip).session
    assert session is not None

    def found(text: str) -> Any:
        return session.scalars(to_select(text, Names.of(Clashing))).all()

    assert found("Trip.allInstances->select(Hall.oclIsKindOf(Hall))") == [trip]
    assert found("Trip.allInstances->select(Hall.allInstances->includes(Hall))") == [trip]
    assert found("Trip.allInstances->select(Size = Size::Large)") == [trip]


@pytest.mark.parametrize(
    "text", ["Hall.allInstancez", "Hall::alInstances", "Size::Larg", "Hal::allInstances", "Size.Larg"]
)
def test_what_neither_of_both_has_is_told(text: str) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        compile_query(text, Names.of(Clashing), Trip)


def test_a_member_goes_before_a_variable_that_is_written_otherwise(trip: Trip) -> None:
    """Exact names go first, whatever they name."""
    query = compile_query("DateTime", Names.of(Clashing), Trip, variables={"date_time": ANY})
    assert query(trip, date_time="later") == "noon"
    exact = compile_query("DateTime", Names.of(Clashing), Trip, variables={"DateTime": ANY})
    assert exact(trip, DateTime="later") == "later"


class Leaf(Clashing):
    __tablename__ = "leaf"
    id: Mapped[int] = mapped_column(primary_key=True)
    extra: Mapped[Any | None] = mapped_column(JSON)


def test_null_in_json_is_null_whether_the_row_has_it_or_the_text(engine: Engine) -> None:
    Clashing.metadata.create_all(engine, [Clashing.metadata.tables["leaf"]])
    with Session(engine) as session:
        kept: dict[int, Any] = {1: {}, 2: None, 3: null(), 4: "null", 5: [None]}
        session.add_all(Leaf(id=key, extra=extra) for key, extra in kept.items())
        session.flush()
        session.expire_all()
        text = "Leaf.allInstances->select(extra.isNull)"

        in_memory = compile_query(text, Names.of(Clashing))(session=session)
        by_sql = session.scalars(to_select(text, Names.of(Clashing))).all()

        assert [leaf.id for leaf in in_memory] == [2, 3]
        assert [leaf.id for leaf in by_sql] == [2, 3]
