"""Kinds of single values: numbers, texts, timestamps and the like."""

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum, Flag
from typing import Any

from afterwork.model.arguments.kind import Kind, Objects, Tree

_MICROSECOND = timedelta(microseconds=1)

_ENOUGH = Context(prec=30)
"""Has room for the microseconds of every timedelta."""


class PlainKind(Kind):
    """None, True and False, integers, and texts: JSON has them as they are. Of a subclass, the plain value is kept."""

    def __init__(self, cls: type, wanted: str) -> None:
        self.cls, self.wanted = cls, wanted

    def write(self, value: Any, where: str) -> Tree:
        if not self._has(value):
            raise self.unfit(value, where)
        match value:
            case bool() | None:
                return value
            case int():
                return int(value)
            case _:
                return str.__str__(value)

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not self._has(tree):
            raise self.unfit(tree, where)
        return tree

    def _has(self, value: object) -> bool:
        return isinstance(value, self.cls) and not (isinstance(value, bool) and self.cls is int)


class FloatKind(Kind):
    """Floating-point numbers. An integer serves, too, if a float can be equal to it."""

    wanted = "a float that is finite"

    def write(self, value: Any, where: str) -> Tree:
        return self._float(value, where)

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        return self._float(tree, where)

    def _float(self, value: Any, where: str) -> float:
        if not isinstance(value, float | int) or isinstance(value, bool):
            raise self.unfit(value, where)
        try:
            number = float(value)
        except OverflowError:
            raise self.unfit(value, where) from None
        if not math.isfinite(number) or number != value:
            raise self.unfit(value, where)
        return number


class NaturalKind(Kind):
    """Values that JSON itself has, for parameters without annotation. Others would come back as something else."""

    wanted = "a value that JSON has (None, a bool, an int, a finite float, a str, a list or dict of these)"

    def write(self, value: Any, where: str) -> Tree:
        match value:
            case None | bool():
                return value
            case float() if not math.isfinite(value):
                raise self.unfit(value, where)
            case _ if type(value) in (int, float, str):
                return value
            case _ if type(value) is list:
                return [self.write(item, f"{where}[{at}]") for at, item in enumerate(value)]
            case _ if type(value) is dict and all(type(key) is str for key in value):
                return {key: self.write(item, f"{where}[{key!r}]") for key, item in value.items()}
        raise self.unfit(value, where)

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        return tree


class TextKind(Kind):
    """Values that are written as texts. What doesn't come back equal is refused."""

    def __init__(self, cls: type, wanted: str, to_text: Callable[[Any], str], from_text: Callable[[str], Any]) -> None:
        self.cls, self.wanted = cls, wanted
        self._to_text, self._from_text = to_text, from_text

    def write(self, value: Any, where: str) -> Tree:
        # A datetime is a date to Python, and would come back as less than it was.
        if not isinstance(value, self.cls) or (self.cls is date and isinstance(value, datetime)):
            raise self.unfit(value, where)
        text = self._to_text(value)
        if self._from_text(text) != value:
            raise self.unfit(value, where)
        return text

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not isinstance(tree, str):
            raise self.unfit(tree, where)
        try:
            return self._from_text(tree)
        except (ValueError, ArithmeticError):
            raise self.unfit(tree, where) from None


def _seconds(duration: timedelta) -> str:
    return format(Decimal(duration // _MICROSECOND).scaleb(-6, _ENOUGH), "f")


def _duration(text: str) -> timedelta:
    return int(Decimal(text).scaleb(6, _ENOUGH)) * _MICROSECOND


class EnumKind(Kind):
    """Members of an enumeration, by name: the value may change and need not be JSON. Flags are kept by value."""

    def __init__(self, cls: type[Enum]) -> None:
        self.cls = cls
        self.wanted = f"a member of {cls.__name__}"

    def write(self, value: Any, where: str) -> Tree:
        if not isinstance(value, self.cls):
            raise self.unfit(value, where)
        return value.value if isinstance(value, Flag) else value.name

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if issubclass(self.cls, Flag) and type(tree) is int:
            try:
                return self.cls(tree)
            except ValueError:
                raise self.unfit(tree, where) from None
        if isinstance(tree, str) and tree in self.cls.__members__:
            return self.cls[tree]
        raise self.unfit(tree, where)


class LiteralKind(Kind):
    """The values of a `Literal`."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self.wanted = f"one of {', '.join(map(repr, values))}"

    def write(self, value: Any, where: str) -> Tree:
        return self._written(self._same(value, where))

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        for value in self.values:
            if self._written(value) == tree and type(self._written(value)) is type(tree):
                return value
        raise self.unfit(tree, where)

    def _same(self, value: Any, where: str) -> Any:
        for each in self.values:
            if each == value and type(each) is type(value):
                return each
        raise self.unfit(value, where)

    def _written(self, value: Any) -> Tree:
        match value:
            case Enum():
                return value.name
            case bytes():
                return value.hex()
            case _:
                return value


SCALARS: Mapping[Any, Kind] = {
    type(None): PlainKind(type(None), "None"),
    bool: PlainKind(bool, "a bool"),
    int: PlainKind(int, "an int"),
    str: PlainKind(str, "a str"),
    float: FloatKind(),
    Decimal: TextKind(Decimal, "a Decimal that is a number", str, Decimal),
    datetime: TextKind(datetime, "a datetime", datetime.isoformat, datetime.fromisoformat),
    date: TextKind(date, "a date", date.isoformat, date.fromisoformat),
    time: TextKind(time, "a time", time.isoformat, time.fromisoformat),
    timedelta: TextKind(timedelta, "a timedelta", _seconds, _duration),
    uuid.UUID: TextKind(uuid.UUID, "a UUID", str, uuid.UUID),
}
"""The kinds of annotations that are classes of single values."""
