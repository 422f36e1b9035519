"""What places of an application's code are made to do: raise anything, or hang. With types of columns that do so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, String, TypeDecorator

from tests.support.hanging import loops, waits


class MuteError(Exception):
    """Even its text raises."""

    def __str__(self) -> str:
        raise SystemExit(1)


KINDS: dict[str, Callable[[], BaseException]] = {
    "SystemExit": lambda: SystemExit("no configuration"),
    "CancelledError": asyncio.CancelledError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "BaseException": lambda: BaseException("of a kind of its own"),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("several", [SystemExit(), ValueError()]),
    "StopIteration": StopIteration,
    "RecursionError": RecursionError,
    "MuteError": MuteError,
    "ValueError": lambda: ValueError("nul \0, half a character \ud800, prawn 🦐"),
}

HANGS: dict[str, Callable[[], None]] = {"loops": loops, "waits": waits}
"""The ways to hang: in Python, which can be interrupted, and in C, which can't."""

GENERAL: dict[str, str] = {}
"""Of the places that belong to no object, those that raise, each with the kind."""

REACHED: set[str] = set()
"""The places at which something was raised, or hung."""


def raises(place: str, thing: Any = None) -> None:
    """Raise what is to be raised at a place, if anything is, or hang there."""
    kind = GENERAL.get(place) if thing is None else thing.kind if thing.place == place else None
    if kind:
        REACHED.add(place)
    if kind in HANGS:
        HANGS[kind]()
    elif kind:
        raise KINDS[kind]()


class Wordless(Exception):
    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __str__(self) -> str:
        raises("text", self.thing)
        return "no words"


@dataclass(frozen=True)
class Note:
    """The place and kind of a thing, as a column has it."""

    place: str | None
    kind: str | None


class NoteColumn(TypeDecorator[Note]):
    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is None:
            return None
        raises("bind", value)
        return f"{value.place} {value.kind}"

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        if value is None:
            return None
        note = Note(*value.split(" "))
        raises("result", note)
        return note


class Amount:
    """A value of the application's own class."""

    def __init__(self, n: int, place: str | None = None, kind: str | None = None) -> None:
        self.n, self.place, self.kind = n, place, kind

    def __eq__(self, other: object) -> bool:
        raises("equal", self)
        raises("equal", other)
        return isinstance(other, Amount) and other.n == self.n

    def __hash__(self) -> int:
        return hash(self.n)


class AmountColumn(TypeDecorator[Amount]):
    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.n

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Amount(value)
