"""Classes whose objects are rows: they are read of rows as SQLAlchemy would load them."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import JSON, ForeignKey, Integer, Numeric, create_engine, func, inspect, select
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    column_property,
    composite,
    configure_mappers,
    mapped_column,
    query_expression,
    relationship,
    synonym,
)

from afterwork.derived.compute.root_visibility import RootVisibility
from afterwork.derived.tracking.single_row_class import has_only_own_listeners, single_row_class
from afterwork.jobs.session import LoadSession, ReadSession


class Base(DeclarativeBase): ...


class Pair:
    def __init__(self, first: str, second: str) -> None: ...


class Far(Base):
    __tablename__ = "far"
    id: Mapped[int] = mapped_column(primary_key=True)


class Plain(Base):
    """Everything that a row may have, in another order, and by other names, than its columns."""

    __tablename__ = "plain"
    notes: Mapped[Any] = mapped_column("remarks", JSON)
    second: Mapped[str] = mapped_column("id_2", primary_key=True)
    first: Mapped[int] = mapped_column("id", Integer, primary_key=True)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    far_id: Mapped[int | None] = mapped_column(ForeignKey("far.id"))
    pair: Mapped[Pair] = composite(Pair, "second", "notes")
    cost = synonym("price")
    far: Mapped[Far | None] = relationship()


class Lazy(Base):
    __tablename__ = "lazy"
    id: Mapped[int] = mapped_column(primary_key=True)
    far_id: Mapped[int | None] = mapped_column(ForeignKey("far.id"))
    fars: DynamicMapped[Far] = relationship(primaryjoin="foreign(Far.id) == Lazy.far_id", viewonly=True)


class Deferred(Base):
    __tablename__ = "deferred"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(deferred=True)


class Raising(Base):
    __tablename__ = "raising"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)


class Asked(Base):
    __tablename__ = "asked"
    id: Mapped[int] = mapped_column(primary_key=True)
    extra: Mapped[int | None] = query_expression()


class Expression(Base):
    __tablename__ = "expression"
    id: Mapped[int] = mapped_column(primary_key=True)
    double = column_property(id * 2)


class Joined(Base):
    __table__ = select(Far.id, func.count().label("number")).group_by(Far.id).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}


class Above(Base):
    __tablename__ = "above"
    id: Mapped[int] = mapped_column(primary_key=True)


class Below(Above):
    __tablename__ = "below"
    id: Mapped[int] = mapped_column(ForeignKey("above.id"), primary_key=True)


class Kinds(Base):
    __tablename__ = "kinds"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": ""}


@pytest.mark.parametrize("cls", [Plain, Far, Lazy])
def test_a_class_whose_objects_are_rows_is_read_from_rows(cls: type) -> None:
    configure_mappers()
    assert single_row_class(inspect(cls)) is not None


@pytest.mark.parametrize("cls", [Deferred, Raising, Asked, Expression, Joined, Above, Below, Kinds])
def test_a_class_whose_objects_are_more_than_a_row_is_not(cls: type) -> None:
    configure_mappers()
    assert single_row_class(inspect(cls)) is None


@pytest.mark.parametrize("lazy", ["joined", "selectin", "subquery", "immediate", "raise"])
def test_a_class_that_is_loaded_together_with_others_is_not(lazy: Any) -> None:
    class Own(DeclarativeBase): ...

    class Other(Own):
        __tablename__ = "other"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Near(Own):
        __tablename__ = "near"
        id: Mapped[int] = mapped_column(ForeignKey("other.id"), primary_key=True)
        other: Mapped[Any] = relationship(Other, lazy=lazy)

    configure_mappers()
    assert single_row_class(inspect(Near)) is None


def test_a_row_is_read_as_sqlalchemy_loads_it() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[name] for name in ("far", "plain")])
    with Session(engine) as session:
        session.add(Far(id=7))
        session.flush()
        session.add(Plain(first=1, second="a", notes={"few": [1]}, price=Decimal("1.5"), far_id=7))
        session.add(Plain(first=2, second="b", notes=None))
        session.commit()
    plain = single_row_class(inspect(Plain))
    assert plain is not None
    with Session(engine) as session:
        rows = session.connection().execute(select(*plain.columns)).all()
        objects = session.scalars(select(Plain)).all()
        assert dict(plain.read(rows)) == {inspect(one).identity: _values(one) for one in objects}
        assert len(objects) == 2


def _values(obj: Any) -> dict[str, object]:
    return {key: value for key, value in inspect(obj).dict.items() if key in inspect(type(obj)).column_attrs}


@pytest.mark.parametrize("session_class", [ReadSession, LoadSession])
def test_listeners_of_afterwork_count_as_own(session_class: type[ReadSession]) -> None:
    with create_engine("sqlite://").connect() as connection:
        session = session_class(connection)
        RootVisibility(session, lambda _: True)
        assert has_only_own_listeners(session)
