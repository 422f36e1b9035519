"""What can't be asked for is refused when it is asked for, with words that say what to do."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, registry

import afterwork as aw
from afterwork.errors import AfterworkError, BadRequest, NoSession, UnsupportedDatabase
from tests.model.declared import model, plain


class Unrooted(aw.ViewModel, model=registry()):
    act = aw.action(plain)


class NoClass:
    @aw.method
    def act(self) -> None: ...


ASKED: dict[str, tuple[Callable[[Any], object], str]] = {
    "a method of no mapped class": (lambda thing: aw.later(NoClass().act), "no object of a mapped class"),
    "a view model on no object": (lambda thing: aw.later(Unrooted()), "Unrooted has no root, whose session"),
    "a view model without actions": (lambda thing: aw.later(aw.ViewModel(None)), "ViewModel has no @aw.action"),
    "a method of the class": (
        lambda thing: aw.later(type(thing).f),
        r"is a method of the class, .* Name the object: aw.later\(obj.f\)",
    ),
    "whether a method of the class may run": (
        lambda thing: aw.can(type(thing).f),
        r"is a method of the class, .* Name the object: aw.can\(obj.f\)",
    ),
    "a method below a class method": (
        lambda thing: aw.later(aw.method(plain).__get__(type(thing), type(thing))),
        r"leave out @classmethod above @aw.method",
    ),
    "a view model's class": (lambda thing: aw.later(Unrooted), r"Make one of it: aw.later\(Unrooted\(\)\)"),  # type: ignore[arg-type]
    "the session of no object": (lambda thing: aw.session(5), "no object of a mapped class"),
    "the freshness of no object": (lambda thing: aw.is_stale(5, "n"), "no object of a mapped class"),
    "whether no method can run": (lambda thing: aw.can(5), "no method of an object"),  # type: ignore[arg-type]
    "after": (lambda thing: aw.later(thing.f, after=5), "after=5: give a timedelta"),  # type: ignore[arg-type]
    "keep": (lambda thing: aw.later(thing.f, keep=5), "keep=5: give a timedelta"),  # type: ignore[arg-type]
    "priority": (lambda thing: aw.later(thing.f, priority="high"), "priority='high': give a whole number"),  # type: ignore[arg-type]
    "unique": (lambda thing: aw.later(thing.f, unique="yes"), "unique='yes': give True"),  # type: ignore[arg-type]
    "lane": (lambda thing: aw.later(thing.f, lane=5), "lane=5: give a name"),  # type: ignore[arg-type]
    "at": (lambda thing: aw.later(thing.f, at="noon"), "'noon' is no datetime"),  # type: ignore[arg-type]
    "a day": (lambda thing: aw.later(thing.f, at=date(2030, 1, 1)), "is no datetime"),  # type: ignore[arg-type]
    "not_after": (lambda thing: aw.later(thing.f, not_after="noon"), "'noon' is no datetime"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", sorted(ASKED))
def test_what_can_not_be_asked_for_is_refused(what: str) -> None:
    thing, _ = model({"f": aw.method(plain)})
    ask, said = ASKED[what]
    with Session(create_engine("sqlite://")) as session:
        session.add(obj := thing())

        with pytest.raises((BadRequest, NoSession), match=said):
            ask(obj)
        session.expunge_all()


def test_an_engine_that_is_none_is_told() -> None:
    _, app = model()

    engine = create_engine("sqlite://")
    for given, says in (
        ("sqlite://", r"str is no engine that a server can use. Make one of the URL: sqlalchemy.create_engine\(url\)"),
        (Session(engine), r"Session is no engine .* Give its engine, session.get_bind\(\)"),
        (create_async_engine("sqlite+aiosqlite://"), r"AsyncEngine is no engine .* await connection.run_sync"),
        (None, r"NoneType is no engine .* Give it one from sqlalchemy.create_engine.$"),
    ):
        for use in (app.run_until_idle, app.install, app.uninstall, app.to_install, app.insight):
            with pytest.raises(UnsupportedDatabase, match=says):
                use(given)  # type: ignore[arg-type]
    with pytest.raises(AfterworkError, match="no path of a file"):
        app.load(5)  # type: ignore[arg-type]
