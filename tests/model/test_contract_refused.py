"""What is refused as a contract: a class of the name SysAsyncTicket that lacks something, or none, or several."""

import enum
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, Enum, Integer, TypeDecorator, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadDeclaration, ModelError


class Shade(enum.StrEnum):
    LIGHT = "light"


class Wrapped(TypeDecorator[str]):
    """A type of the application's own."""

    impl = Enum("no", "yes")
    cache_ok = True


def test_all_that_is_missing_or_mistyped_is_said_at_once() -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "ticket"
        one: Mapped[int] = mapped_column(primary_key=True)
        two: Mapped[int] = mapped_column(primary_key=True)
        view_model: Mapped[int | None]
        ViewModel: Mapped[str | None]
        root_id: Mapped[str]
        execute_earliest: Mapped[str | None]
        keep_receipt_minutes: Mapped[bool]
        done: Mapped[datetime | None]
        error: Mapped[Any] = mapped_column(JSON, nullable=True)
        priority: Mapped[str | None]

    with pytest.raises(ModelError) as caught:
        _ = aw.Afterwork(Base).model

    problems = "\n".join(caught.value.problems)
    assert "primary key of 2 columns" in problems
    assert "has view_model and ViewModel, which are the same name" in problems
    assert "SysAsyncTicket.view_model is Integer(). The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.root_id can't be null. The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.execute_earliest is String(). The contract needs datetime, null allowed." in problems
    assert "SysAsyncTicket.keep_receipt_minutes is Boolean(). The contract needs int." in problems
    assert (
        "SysAsyncTicket has no attribute delete_time: datetime, null allowed. DeleteTime would serve, too." in problems
    )
    assert "SysAsyncTicket.error is JSON(). The contract needs str, null allowed." in problems
    assert "SysAsyncTicket.priority is String(). The contract needs int, null allowed." in problems
    assert len(caught.value.problems) == 9
    assert "9 things are wrong with the model" in str(caught.value)


@pytest.mark.parametrize("kind", [Enum("no", "yes"), Enum(Shade), Uuid(), Uuid(as_uuid=False), Wrapped()], ids=repr)
def test_an_error_column_that_takes_no_sentence_is_refused(kind: Any) -> None:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        error: Mapped[Any] = mapped_column(kind, nullable=True)

    with pytest.raises(ModelError, match=r"SysAsyncTicket.error is .*(declare it as Text|needs str)"):
        _ = aw.Afterwork(Base).model


def test_half_of_the_class_is_refused_by_every_way_to_start(engine: Engine) -> None:
    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(Base):
        __tablename__ = "ticket"
        id: Mapped[int] = mapped_column(primary_key=True)
        view_model: Mapped[str | None]
        root_id: Mapped[str | None]

    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)

    with pytest.raises(ModelError, match="5 things are wrong"):
        app.install(engine)
    with pytest.raises(ModelError, match="no attribute keep_receipt_minutes"):
        app.run_until_idle(engine)
    with pytest.raises(ModelError, match="no attribute error"), app.serving(engine):
        pass


def test_a_model_without_the_class_says_how_to_have_it() -> None:
    class Base(DeclarativeBase):
        pass

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def greet(self) -> None: ...

    with pytest.raises(ModelError, match=r"It has no class SysAsyncTicket\. Add one: class SysAsyncTicket"):
        _ = aw.Afterwork(Base).model
    with Session() as session:
        customer = Customer()
        session.add(customer)
        with pytest.raises(ModelError, match="The model of Customer has no class SysAsyncTicket"):
            aw.later(customer.greet)


def test_two_classes_of_the_same_name_are_refused() -> None:
    """A RootId says the name only."""

    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    _both = [
        type(
            "Customer",
            (Base,),
            {"__tablename__": name, "__module__": name, "id": mapped_column(Integer, primary_key=True)},
        )
        for name in ("sales", "support")
    ]

    with pytest.raises(ModelError, match=r"2 classes are named Customer: sales.Customer and support.Customer"):
        _ = aw.Afterwork(Base).model


def test_two_ticket_classes_are_refused() -> None:
    class Base(DeclarativeBase):
        pass

    _both = [
        type("SysAsyncTicket", (aw.AsyncTicket, Base), {"__tablename__": table, "__module__": table})
        for table in ("one", "two")
    ]

    with pytest.raises(ModelError, match="2 classes are named SysAsyncTicket"):
        _ = aw.Afterwork(Base).model


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="no declarative base and no registry"):
        aw.Afterwork("shop")
