"""Bases that make something of their own of the classes below them: SQLModel's models, and dataclasses."""

from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, Session, mapped_column, registry
from sqlmodel import Field, SQLModel

import afterwork as aw
from afterwork.errors import BadDeclaration


def of_sqlmodel() -> tuple[Any, ...]:
    class Base(SQLModel, registry=registry()):
        model_config = {"ignored_types": aw.DECLARATIONS}

    class SysAsyncTicket(aw.AsyncTicket, Base, table=True):
        pass

    class Visit(Base, table=True):
        id: int | None = Field(default=None, primary_key=True)
        name: str
        greeted: int = 0
        length: int = 0

        @aw.derived("length")
        def compute_length(self) -> int:
            return len(self.name)

        @aw.method
        def greet(self) -> None:
            self.greeted += 1

    return Base, SysAsyncTicket, Visit


def of_dataclasses() -> tuple[Any, ...]:
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    class Visit(Base):
        __tablename__ = "visit"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        name: Mapped[str]
        greeted: Mapped[int] = mapped_column(default=0)
        length: Mapped[int] = mapped_column(default=0)

        @aw.derived(length)
        def compute_length(self) -> int:
            return len(self.name)

        @aw.method
        def greet(self) -> None:
            self.greeted += 1

    return Base, SysAsyncTicket, Visit


def of_decorated_dataclasses() -> tuple[Any, ...]:
    mapped = registry()

    @mapped.mapped_as_dataclass
    class SysAsyncTicket(aw.AsyncTicket):
        pass

    @mapped.mapped_as_dataclass
    class Visit:
        __tablename__ = "visit"
        id: Mapped[int] = mapped_column(primary_key=True, init=False)
        name: Mapped[str]
        greeted: Mapped[int] = mapped_column(default=0)
        length: Mapped[int] = mapped_column(default=0)

        @aw.derived(length)
        def compute_length(self) -> int:
            return len(self.name)

        @aw.method
        def greet(self) -> None:
            self.greeted += 1

    return mapped, SysAsyncTicket, Visit


BASES = {"SQLModel": of_sqlmodel, "MappedAsDataclass": of_dataclasses, "decorator": of_decorated_dataclasses}


@pytest.fixture(params=BASES)
def model(request: pytest.FixtureRequest, engine: Engine) -> Any:
    """A model on one of these bases, installed: its application, its ticket class and the class of its objects."""
    base, ticket, visit = BASES[request.param]()
    app = aw.Afterwork(base)
    ticket.__table__.metadata.create_all(engine)
    app.install(engine)
    return app, ticket, visit


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT name, greeted, length FROM visit ORDER BY name"))]


def test_the_ticket_class_of_one_line_serves_on_any_base(model: Any, engine: Engine) -> None:
    app, ticket, visit = model
    with Session(engine) as session, session.begin():
        ann, bob = visit(name="Ann"), visit(name="Bobby")
        session.add(ann)
        aw.later(ann.greet)
        session.add(ticket(view_model="Visit.greet", root_object=bob))
    app.run_until_idle(engine)

    assert stored(engine) == [("Ann", 1, 3), ("Bobby", 1, 5)]


def test_tickets_are_equal_to_themselves_alone(model: Any, engine: Engine) -> None:
    """Two dataclasses with the same content are equal, and neither they nor objects of SQLModel have a hash."""
    _, _, visit = model
    with Session(engine) as session, session.begin():
        ann = visit(name="Ann")
        session.add(ann)
        first, second = aw.later(ann.greet), aw.later(ann.greet)

        assert first != second
        assert len({first, second}) == 2
        assert aw.later(ann.greet, unique=True) in (first, second)


def test_a_ticket_takes_only_what_its_class_has(model: Any) -> None:
    _, ticket, _ = model

    with pytest.raises(TypeError, match="'viewmodel' is no attribute of SysAsyncTicket"):
        ticket(viewmodel="Visit.greet")


def test_equal_objects_are_told_apart(model: Any, engine: Engine) -> None:
    app, _, visit = model
    with Session(engine) as session, session.begin():
        twins = [visit(name="Ann"), visit(name="Ann")]
        session.add_all(twins)
        for twin in twins:
            aw.later(twin.greet)
    app.run_until_idle(engine)

    assert stored(engine) == [("Ann", 1, 3), ("Ann", 1, 3)]
    with Session(engine) as session:
        assert [aw.fresh(one, "length") for one in session.scalars(select(visit))] == [3, 3]


def test_columns_of_tickets_are_as_nullable_as_on_any_base() -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    def nullable(ticket: Any) -> set[str]:
        return {column.name for column in ticket.__table__.c if column.nullable}

    needed = {"id", "keep_receipt_minutes", "attempts", "created"}
    assert {column.name for column in SysAsyncTicket.__table__.c} - nullable(SysAsyncTicket) == needed
    assert [nullable(made()[1]) for made in BASES.values()] == [nullable(SysAsyncTicket)] * len(BASES)


def test_a_model_may_be_named_by_its_base_or_its_registry(engine: Engine) -> None:
    """SQLModel keeps its registry where only SQLAlchemy looks for it."""
    base, ticket, visit = of_sqlmodel()
    members = {"greet_all": aw.action(aw.eal("Visit.allInstances->first.greeted := 7"))}
    everyone = type("GreetEveryone", (aw.ViewModel,), members, model=base)
    app = aw.Afterwork(ticket.__mapper__.registry)
    ticket.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add_all([visit(name="Ann"), ticket(view_model=everyone.__name__)])
    app.run_until_idle(engine)

    assert stored(engine) == [("Ann", 7, 3)]


def test_what_is_no_model_is_refused_where_it_is_named() -> None:
    with pytest.raises(BadDeclaration, match="'shop' is no declarative base and no registry"):

        class Tidy(aw.ViewModel[None], model="shop"):
            pass
