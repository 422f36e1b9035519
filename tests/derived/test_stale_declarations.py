"""Caches that could never run are refused when the model is read, with all that is wrong at once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

import afterwork as aw
from afterwork.errors import BadDeclaration, ModelError


def problems(base: Any) -> str:
    with pytest.raises(ModelError) as caught:
        _ = aw.Afterwork(base).model
    return str(caught.value)


def computed(member: Any) -> Any:
    return aw.derived(member)(compute)


def declared(**members: Any) -> Any:
    """A model with one class Part that has these members."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Piece(Base):
        __tablename__ = "piece"
        id: Mapped[int] = mapped_column(primary_key=True)
        part_id: Mapped[int] = mapped_column(ForeignKey("part.id"))

    key, size = mapped_column(primary_key=True), mapped_column(default=0)
    annotations = {"id": Mapped[int], "size": Mapped[int]}
    body = {"__tablename__": "part", "__annotations__": annotations, "id": key, "size": size, **members}
    part = type("Part", (Base,), {**body, "pieces": relationship(Piece), "double": column_property(size * 2)})
    Base.kept = [SysAsyncTicket, part]  # a registry does not hold its classes
    return Base


def compute(self: Any) -> int:
    return 1


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("nonsense", "'nonsense' is no column of Part"),
        ("pieces", "'pieces' is no column of Part"),
        ("compute", "'compute' is no column of Part"),
        ("id", "id is part of the primary key"),
        ("double", "double is calculated by the database"),
        (5, "5 is no column of Part"),
    ],
)
def test_a_member_that_can_not_be_calculated(member: Any, said: str) -> None:
    found = problems(declared(compute=computed(member)))

    assert "@aw.derived on Part.compute" in found
    assert said in found


def test_two_functions_for_one_member() -> None:
    found = problems(declared(one=computed("size"), other=computed("size")))

    assert "Part.size is calculated by 2 functions. One member has one." in found


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = problems(declared(one=computed("x"), other=computed("y")))

    assert "2 things are wrong with the model" in found


def needs_more(self: Any, more: int) -> int:
    return more


async def waits(self: Any) -> int:
    return 1


@pytest.mark.parametrize("function", [needs_more, waits, 5])
def test_a_function_that_can_not_be_called_alone(function: Any) -> None:
    with pytest.raises(BadDeclaration, match=r"@aw\.derived"):
        aw.derived("size")(function)


def test_an_oldness_below_nothing() -> None:
    with pytest.raises(BadDeclaration, match="allow_oldness"):
        aw.derived("size", allow_oldness=timedelta(seconds=-1))
    with pytest.raises(BadDeclaration, match="must be 0 or more"):
        aw.WhenStale(allow_oldness=timedelta(days=-1))


def test_a_view_model_without_a_root_can_be_no_cache() -> None:
    base = declared()

    class Unrooted(aw.ViewModel[None], model=base):
        when = aw.WhenStale()

        @aw.action
        def act(self) -> None: ...

    assert "Unrooted has when = aw.WhenStale(…) but no root class" in problems(base)


def test_a_view_model_that_runs_outside_can_be_no_cache() -> None:
    base = declared()
    part = base.kept[1]

    class Outside(aw.ViewModel[Any], root=part):
        when = aw.WhenStale()
        external = True

        @aw.action
        def act(self) -> None: ...

    found = problems(base)
    assert "Outside has when = aw.WhenStale(…) and external = True" in found
    assert "aw.later" in found


def test_a_view_model_without_an_action_can_be_no_cache() -> None:
    base = declared()
    part = base.kept[1]

    class Idle(aw.ViewModel[Any], root=part):
        when = aw.WhenStale()

    assert "Idle has when = aw.WhenStale(…) but no action" in problems(base)


@pytest.mark.parametrize("has_key", [True, False])
def test_a_class_whose_key_is_not_that_of_its_table(has_key: bool) -> None:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Part(Base):
        __table__ = Table(
            "part",
            Base.metadata,
            Column("id", Integer, primary_key=has_key),
            Column("code", String),
            Column("n", Integer),
        )
        __mapper_args__ = {"primary_key": [__table__.c.code]}
        compute_n = computed("n")

    assert "Part, whose primary key is not that of its table part" in problems(Base)
