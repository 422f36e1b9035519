"""Odd things to declare, and the model in which they are declared."""

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw


def plain(self: Any) -> int:
    return 1


async def asynchronous(self: Any) -> int:
    return 1


def generator(self: Any) -> Iterator[int]:
    yield 1


async def asynchronous_generator(self: Any) -> Any:
    yield 1


def takes_nothing() -> int:
    return 1


def needs_two(self: Any, other: Any) -> int:
    return 1


def needs_a_keyword(self: Any, *, other: Any) -> int:
    return 1


def takes_keywords(**others: Any) -> int:
    return 1


class Called:
    def __call__(self, *given: Any) -> int:
        return 1


class CalledAsynchronously:
    async def __call__(self, *given: Any) -> int:
        return 1


ODD: dict[str, Callable[[], Any]] = {
    "classmethod": lambda: classmethod(plain),
    "staticmethod": lambda: staticmethod(plain),
    "property": lambda: property(plain),
    "cached property": lambda: functools.cached_property(plain),
    "partial method": lambda: functools.partialmethod(plain),
    "partial": lambda: functools.partial(plain),
    "async": lambda: asynchronous,
    "async called": CalledAsynchronously,
    "generator": lambda: generator,
    "async generator": lambda: asynchronous_generator,
    "object": Called,
    "class": lambda: Called,
    "builtin": lambda: repr,
    "text": lambda: "self.n",
    "number": lambda: 5,
    "takes nothing": lambda: takes_nothing,
    "needs two": lambda: needs_two,
    "needs a keyword": lambda: needs_a_keyword,
    "takes keywords": lambda: takes_keywords,
    "method": lambda: aw.method(plain),
    "derived": lambda: aw.derived("m")(plain),
    "action": lambda: aw.action(plain),
    "column": lambda: aw.column(plain),
    "lambda": lambda: lambda self: 1,
}

Made = tuple[type[Any], aw.Afterwork]


class Chart(StateChart[Any]):
    idle = State(initial=True)
    ready = State(final=True)
    go = idle.to(ready)


def model(body: dict[str, Any] | None = None, view_model: dict[str, Any] | None = None, **options: Any) -> Made:
    """A model with a class Thing that has a body, and a view model Work on it."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    columns = {"id": mapped_column(primary_key=True), "n": mapped_column(default=0), "m": mapped_column(default=0)}
    columns |= {"state": mapped_column(), "parent_id": mapped_column(ForeignKey("thing.id"))}
    types_: dict[str, Any] = {"id": Mapped[int], "n": Mapped[int], "m": Mapped[int]}
    types_ |= {"state": Mapped[str | None], "parent_id": Mapped[int | None]}
    metaclass: Any = type(Base)
    Thing = metaclass(
        "Thing", (Base,), {"__tablename__": "thing", "__annotations__": types_, **columns, **(body or {})}
    )
    held = [SysAsyncTicket, Thing]
    if view_model is not None:
        where = {"root": Thing, **view_model.pop("where", {})}
        where |= {"model": Base} if where["root"] is None else {}
        held.append(types.new_class("Work", (aw.ViewModel,), where, lambda names: names.update(view_model)))
    app = aw.Afterwork(Base, **options)
    app.variables["held"] = held
    return Thing, app


def failing(self: Any) -> None:
    raise ValueError


def act() -> Any:
    return aw.action(plain)


def computed(self: Any) -> int:
    return 1


def expressed(function: Any) -> dict[str, Any]:
    method = aw.derived("n")(computed)
    return {"f": method, "g": method.expression(function)}


def for_many(function: Any) -> dict[str, Any]:
    method = aw.method(computed)
    return {"f": method, "g": method.many(function)}
