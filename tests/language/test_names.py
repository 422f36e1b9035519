"""What is known of a model: members however they are mapped, names however they are written."""

from typing import Any

import pytest
from sqlalchemy import JSON, Column, Enum, ForeignKey, Integer, String, Table, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column, registry, relationship

from afterwork.errors import UnknownName, WrongType
from afterwork.language import Names, compile_action, compile_query, to_select
from afterwork.language.members import of_value
from afterwork.language.types import INTEGER, NULL, STRING, CollectionType, ObjectType


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
    assert of_value(None) == NULL
    assert of_value([1, None, 2]) == CollectionType("Sequence", INTEGER)
    assert of_value("x") == STRING
    assert of_value(Node()) == ObjectType(Node)


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
