"""Calculations that read or return what they must not: the value stays, the error says what to do, others go on."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

import afterwork as aw
from tests.derived.bad_calculations import BAD, Behave
from tests.derived.stale_scene import Function, Scene, Shelf


def reads_itself_by_a_select(self: Shelf) -> int:
    return 1 + (aw.session(self).scalar(select(Shelf.value).where(Shelf.id == self.id)) or 0)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_it_fails_alone_says_why_and_is_right_once_it_can_be(bad: Function, shelves: Scene, behave: Behave) -> None:
    shelves.sql("UPDATE shelf SET value = 77")
    behave(bad)

    shelves.runs()

    error = shelves.failed(2, "value")
    assert [words for words in BAD[bad] if words not in error] == [], error
    assert [shelf.value for shelf in shelves.all(Shelf)] == [1, 77, 3]
    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", "0", "0"]
    assert [shelf.size for shelf in shelves.all(Shelf)] == [1, 2, 3]
    assert shelves.runs() == []
    assert shelves.is_quiet()
    shelves.clock.advance(timedelta(minutes=1))
    assert shelves.runs() == ["Shelf.value Shelf!2"]

    shelves.sql("UPDATE shelf SET sort = 'good'")
    shelves.clock.advance(timedelta(hours=2))
    shelves.runs()

    assert [shelf.value for shelf in shelves.all(Shelf)] == [1, 2, 3]
    assert shelves.explain(2, "value").state == "fresh"


VALUES: dict[str, tuple[str, Any, list[str]]] = {
    "null": ("value", None, ["Shelf.value can't be null", "returned None"]),
    "text for a number": ("value", "many", ["Shelf.value needs int", "'many'"]),
    "a fraction": ("value", 1.5, ["Shelf.value needs int", "1.5"]),
    "a decimal": ("value", Decimal(2), ["Shelf.value needs int"]),
    "true for a number": ("value", True, ["Shelf.value needs int", "True"]),
    "an object": ("value", object(), ["Shelf.value needs int"]),
    "a number for text": ("label", 5, ["Shelf.label needs str", "5"]),
    "bytes for text": ("label", b"x", ["Shelf.label needs str"]),
    "too great a number": ("value", 2**70, ["Error"]),
    "half a character": ("label", "\ud800", ["Error"]),
    "what JSON has no word for": ("extra", {"when": object()}, ["Error", "JSON"]),
}


@pytest.mark.parametrize("case", VALUES)
def test_what_a_column_can_not_hold_is_not_stored(case: str, shelves: Scene, behave: Behave) -> None:
    member, value, said = VALUES[case]
    before = getattr(shelves.all(Shelf)[1], member)
    behave(lambda shelf: value, member)

    shelves.runs()

    error = shelves.failed(2, member)
    assert [words for words in said if words not in error] == [], error
    there = shelves.all(Shelf)
    assert getattr(there[1], member) == before
    assert [shelf.value for shelf in (there[0], there[2])] == [1, 3]
    assert [shelf.label for shelf in (there[0], there[2])] == ["0", "0"]
    assert [shelf.extra for shelf in (there[0], there[2])] == [{"sort": "good"}, {"sort": "good"}]
    assert shelves.runs() == []
    assert shelves.is_quiet()


@pytest.mark.parametrize(("text", "said"), [("much too long", "too long"), ("\0", "")])
def test_a_text_that_the_database_refuses_is_told(text: str, said: str, shelves: Scene, behave: Behave) -> None:
    behave(lambda shelf: text, "label")

    shelves.runs()

    if shelves.on_sqlite:  # which takes it
        assert shelves.all(Shelf)[1].label == text
    else:
        assert said in shelves.failed(2, "label")
        assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", None, "0"]
    assert shelves.runs() == []
    assert shelves.is_quiet()


def test_none_is_a_value_of_a_column_that_may_be_null(shelves: Scene, behave: Behave) -> None:
    shelves.sql("UPDATE shelf SET label = 'x'")
    behave(lambda shelf: None, "label")

    shelves.runs()

    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", None, "0"]
    assert shelves.explain(2, "label").state == "fresh"
