"""Classes that come from a query: mapped to a select, or with subclasses that have tables of their own."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, column, func, join, select, table, text
from sqlalchemy.ext.declarative import AbstractConcreteBase, ConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, mapped_column, relationship

import afterwork as aw
from afterwork.errors import ModelError
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Document(Base):
    __tablename__ = "document"
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int | None]
    name: Mapped[str]
    gone: Mapped[bool] = mapped_column(default=False)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int]


_documents, _tags = Document.__table__.c, Tag.__table__.c
_count = select(func.count()).select_from(Tag.__table__).where(_tags.document_id == _documents.id).scalar_subquery()


class Living(Base):
    """The documents that are not gone, each with a number of tags."""

    __table__ = select(Document.__table__, _count.label("tags")).where(_documents.gone.is_(False)).subquery("living")
    marks = relationship(
        Tag, primaryjoin=lambda: foreign(_tags.document_id) == _living.id, order_by=Tag.id, viewonly=True
    )
    folder = relationship("Folder", primaryjoin=lambda: foreign(_living.folder_id) == Folder.id, viewonly=True)


class Twin(Base):
    """The documents by another name of their table."""

    __table__ = Document.__table__.alias("twin")


_living: Any = Living.__table__.c


class Shape(ConcreteBase, Base):
    """Its subclass has a table of its own, with keys of its own; queries for shapes bring both."""

    __tablename__ = "shape"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "shape"}
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    size: Mapped[int]
    area: Mapped[int | None] = mapped_column()

    @aw.derived(area)
    def compute_area(self) -> int:
        return self.size


class Square(Shape):
    __tablename__ = "square"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "square"}
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    size: Mapped[int]
    area: Mapped[int | None] = mapped_column()

    def compute_area(self) -> int:
        return self.size * self.size


class Animal(AbstractConcreteBase, Base):
    """All of its objects are of subclasses, each with a table of its own."""

    strict_attrs = True
    legs: Mapped[int] = mapped_column()
    shoes: Mapped[int | None] = mapped_column()

    @aw.derived(shoes)
    def compute_shoes(self) -> int:
        return self.legs


class Horse(Animal):
    __tablename__ = "horse"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "horse"}
    id: Mapped[int] = mapped_column(primary_key=True)


class Bird(Animal):
    __tablename__ = "bird"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "bird"}
    id: Mapped[int] = mapped_column(primary_key=True)

    def compute_shoes(self) -> int:
        return 0


Seen = Callable[["Folder"], Any]


class Folder(Base):
    """`seen` is what a way of looking, by `way`, sees of classes that come from queries."""

    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str]
    favourite_id: Mapped[int | None]
    seen: Mapped[str | None] = mapped_column()
    living = relationship(
        Living, primaryjoin=lambda: foreign(_living.folder_id) == Folder.id, viewonly=True, order_by=lambda: _living.id
    )
    favourite = relationship(
        Living, primaryjoin=lambda: foreign(Folder.favourite_id) == _living.id, viewonly=True, uselist=False
    )
    shapes: Mapped[list[Shape]] = relationship(viewonly=True)
    squares: Mapped[list[Square]] = relationship(viewonly=True)

    @aw.derived(seen)
    def compute_seen(self) -> str:
        return str(WAYS[self.way](self))


def all_of(folder: Folder, cls: type[Any], *members: str) -> Sequence[Any]:
    found = aw.session(folder).scalars(select(cls)).all()
    return sorted([getattr(one, member) for member in members] for one in found)


def living(folder: Folder) -> Sequence[Any]:
    return aw.session(folder).scalars(select(Living).order_by(_living.id)).all()


def named(folder: Folder) -> list[Any]:
    aw.depends_on(Living, Shape)
    with aw.untracked():
        return [all_of(folder, Living, "name"), all_of(folder, Shape, "size")]


WAYS: dict[str, Seen] = {
    "all living": lambda folder: all_of(folder, Living, "name", "tags"),
    "a living one": lambda folder: getattr(aw.session(folder).get(Living, 2), "name", None),
    "their end": lambda folder: [(getattr(one, "name"), getattr(one, "tags")) for one in folder.living],
    "its end": lambda folder: None if folder.favourite is None else folder.favourite.name,
    "ends of theirs": lambda folder: [[mark.id for mark in one.marks] for one in folder.living],
    "an end of theirs": lambda folder: [getattr(one.folder, "way", None) for one in living(folder)],
    "all twins": lambda folder: all_of(folder, Twin, "name", "gone"),
    "a twin": lambda folder: getattr(aw.session(folder).get(Twin, 2), "name", None),
    "what is named": named,
    "all shapes": lambda folder: all_of(folder, Shape, "size"),
    "a shape": lambda folder: getattr(aw.session(folder).get(Shape, 7), "size", None),
    "the end with both": lambda folder: sorted(one.size for one in folder.shapes),
    "the end with one": lambda folder: sorted(one.size for one in folder.squares),
    "all animals": lambda folder: all_of(folder, Animal, "legs"),
}

CHANGES = [
    "UPDATE document SET gone = false",
    "INSERT INTO tag (id, document_id) VALUES (1, 2)",
    "UPDATE document SET name = 'z' WHERE id = 2",
    "UPDATE document SET folder_id = 5",
    "UPDATE tag SET document_id = 1",
    "UPDATE document SET folder_id = 2",
    "DELETE FROM tag",
    "UPDATE folder SET favourite_id = 1",
    "UPDATE document SET gone = true WHERE id = 2",
    "DELETE FROM document",
    "INSERT INTO square (id, folder_id, size) VALUES (7, 2, 3)",
    "UPDATE square SET folder_id = 1, size = 4",
    "DELETE FROM square WHERE id = 7",
    "INSERT INTO shape (id, folder_id, size) VALUES (7, 2, 6)",
    "UPDATE shape SET size = size + 1",
    "UPDATE bird SET legs = 3",
    "INSERT INTO horse (id, legs) VALUES (2, 5)",
]


def test_values_follow_what_classes_show_that_come_from_queries(engine: Engine) -> None:
    app = installed(engine, Base)
    numbers = {way: number for number, way in enumerate(WAYS, 1)}
    for way, number in numbers.items():
        change(engine, f"INSERT INTO folder (id, way, favourite_id) VALUES ({number}, '{way}', 2)")
    change(engine, "INSERT INTO document (id, folder_id, name, gone) VALUES (1, 3, 'a', false), (2, 3, 'b', true)")
    both = numbers["the end with both"]
    change(engine, f"INSERT INTO shape (id, folder_id, size) VALUES (1, {both}, 2)")
    change(engine, f"INSERT INTO square (id, folder_id, size) VALUES (1, {both}, 5)")
    change(engine, "INSERT INTO horse (id, legs) VALUES (1, 4)")
    change(engine, "INSERT INTO bird (id, legs) VALUES (1, 2)")
    for statement in ("SELECT 1", *CHANGES):
        change(engine, statement)
        app.run_until_idle(engine)
        with Session(engine) as session:
            for cls in (Folder, Horse, Bird):
                for obj in session.scalars(select(cls)):
                    check(obj, statement)
            for row in session.execute(select(Shape.__table__.c.size, Shape.__table__.c.area)):
                assert row.area == row.size, statement
            for row in session.execute(select(Square.__table__.c.size, Square.__table__.c.area)):
                assert row.area == row.size**2, statement
    assert not [cache for cache in app.insight(engine).caches() if cache.failed.number]


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def check(obj: Any, statement: str) -> None:
    match obj:
        case Folder():
            assert obj.seen == obj.compute_seen(), (obj.way, statement)
        case _:
            assert obj.shoes == obj.compute_shoes(), statement


def mapped_to(selectable: Callable[[Any], Any]) -> Any:
    """A model whose one cache is on a class that is mapped to what is made of a table."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Part(Base):
        __tablename__ = "part"
        id: Mapped[int] = mapped_column(primary_key=True)
        size: Mapped[int] = mapped_column(default=0)

    class Other(Base):
        __table__ = selectable(Part.__table__)

        @aw.derived(SIZE)
        def compute_size(self: Any) -> int:
            return 1

    Base.kept = [SysAsyncTicket, Part, Other]  # a registry does not hold its classes
    return Base


SIZE = "size"
EXTRA = table("extra", column("part_id"))


@pytest.mark.parametrize(
    "selectable",
    [
        lambda part: select(part).where(part.c.size > 1).subquery("big"),
        lambda part: part.alias("twin"),
        lambda part: join(part, EXTRA, part.c.id == EXTRA.c.part_id),
    ],
)
def test_a_cache_of_a_class_that_comes_from_a_query_is_refused(selectable: Callable[[Any], Any]) -> None:
    with pytest.raises(ModelError, match="Other, which is mapped to a query or a join"):
        _ = aw.Afterwork(mapped_to(selectable)).model
