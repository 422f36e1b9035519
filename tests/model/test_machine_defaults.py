"""Entry actions of a first state see what the defaults of the object's columns give it."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, ForeignKey, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.world import World, the_only

numbers: Iterator[int] = itertools.count(1)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class DraftFlow(StateChart[Any]):
    new = State(initial=True)
    sent = State(final=True)
    send_it = new.to(sent)

    def on_enter_new(self, model: "Draft") -> None:
        model.seen = {
            name: getattr(model, name) for name in ("pages", "number", "marks", "title", "length", "made_by", "state")
        }


class Draft(Base):
    __tablename__ = "draft"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="draft")
    state: Mapped[str | None] = mapped_column(default="sent")
    pages: Mapped[int] = mapped_column(default=3)
    number: Mapped[int] = mapped_column(default=lambda: next(numbers))
    marks: Mapped[list[str]] = mapped_column(JSON, default=list)
    title: Mapped[str | None] = mapped_column(default="untitled")
    length: Mapped[int | None] = mapped_column(default=lambda context: context.get_current_parameters()["pages"] * 40)
    made_by: Mapped[str] = mapped_column(default=func.upper("ann"))
    seen: Mapped[dict[str, Any]] = mapped_column(JSON)
    flow = aw.machine(DraftFlow, state=state)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "draft"}


class Letter(Draft):
    __tablename__ = "letter"
    id: Mapped[int] = mapped_column(ForeignKey("draft.id"), primary_key=True)
    stamp: Mapped[str] = mapped_column(default="red")
    __mapper_args__ = {"polymorphic_identity": "letter"}


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def saved(world: World, draft: Draft) -> Any:
    with world.session() as session, session.begin():
        session.add(draft)
    return the_only(world.engine, type(draft))


def test_entry_actions_see_values_and_what_functions_return_and_the_same_is_saved(world: World) -> None:
    draft = saved(world, Draft())

    assert draft.seen["pages"] == draft.pages == 3
    assert draft.seen["number"] == draft.number
    assert draft.seen["marks"] == draft.marks == []
    assert draft.seen["title"] == draft.title == "untitled"
    assert next(numbers) == draft.number + 1


def test_what_only_the_statement_or_the_database_can_tell_is_left_to_them(world: World) -> None:
    draft = saved(world, Draft())

    assert (draft.seen["length"], draft.length) == (None, 120)
    assert (draft.seen["made_by"], draft.made_by) == (None, "ANN")


def test_what_was_set_stays_and_none_gives_way_to_a_default_as_it_does_when_saved(world: World) -> None:
    draft = saved(world, Draft(pages=7, title=None, marks=["x"]))

    assert (draft.seen["pages"], draft.seen["title"], draft.seen["marks"]) == (7, "untitled", ["x"])
    assert (draft.pages, draft.title, draft.length) == (7, "untitled", 280)


def test_a_state_is_entered_and_never_given_by_a_default(world: World) -> None:
    draft = saved(world, Draft())

    assert (draft.seen["state"], draft.state) == ("new", "new")


def test_an_event_before_the_object_is_saved_sees_them_too(world: World) -> None:
    with world.session() as session, session.begin():
        draft = Draft()
        session.add(draft)
        draft.flow.send_it()
        assert draft.seen["pages"] == 3

    assert the_only(world.engine, Draft).state == "sent"


def test_those_of_derived_classes_are_given_too(world: World) -> None:
    letter = saved(world, Letter())

    assert (letter.kind, letter.stamp, letter.seen["pages"]) == ("letter", "red", 3)
