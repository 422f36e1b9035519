"""Variables of view models: the values that a run gets beside its root, and their JSON between a round and its runs."""

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from afterwork.errors import BadRequest, shown

DUE = "due"
"""The variable with the due time of a run's round."""


class Variable:
    """A value of a view model that the server sets before its actions run."""

    def __init__(self, default: Any) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, view_model: object | None, owner: type) -> Any:
        return self if view_model is None else vars(view_model).get(self.name, self.default)

    def __set__(self, view_model: object, value: Any) -> None:
        vars(view_model)[self.name] = value


def variable(default: Any = None) -> Any:
    """Declare a variable of a view model: `since: datetime = aw.variable()`.

    It gets its value, by its name, from what the timer's `before` has set, or from the variables of `aw.Afterwork`;
    else it is `default`. A variable named `due` is the due time of the timer's round.
    """
    return Variable(default)


class Variables:
    """The variables of a round, as attributes. `before` may set those that the view model declares."""

    def __init__(self, declared: Collection[str], values: Mapping[str, Any]) -> None:
        vars(self)["_declared"] = set(declared)
        vars(self)["_given"] = dict(values)
        vars(self)["_values"] = dict(values)

    def __getattr__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        raise AttributeError(self._unknown(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._declared:
            raise BadRequest(self._unknown(name))
        self._values[name] = value

    def _unknown(self, name: str) -> str:
        known = ", ".join(sorted(self._declared | self._values.keys())) or "none"
        return f"There is no variable {name}. Declare it in the view model with aw.variable(). There are: {known}."

    def changed(self) -> dict[str, Any]:
        """Return the variables that have other values than they were given."""
        return {
            name: value
            for name, value in self._values.items()
            if name not in self._given or self._given[name] is not value
        }


_KINDS: Mapping[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (
        timedelta,
        lambda duration: repr(duration / timedelta(microseconds=1)),
        lambda text: timedelta(microseconds=float(text)),
    ),
    "Decimal": (Decimal, str, Decimal),
    "UUID": (uuid.UUID, str, uuid.UUID),
}


def dump_variables(values: Mapping[str, Any]) -> str:
    """Return values as text. Raises `BadRequest` for one of a type that can't be stored."""
    return json.dumps({name: _written(name, value) for name, value in values.items()})


def load_variables(text: str | None) -> dict[str, Any]:
    """Return the values that `dump_variables` has written; none for None."""
    return {} if text is None else {name: _read(value) for name, value in json.loads(text).items()}


def _written(name: str, value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_written(name, item) for item in value]
        case _:
            for kind, (cls, write, _) in _KINDS.items():
                if isinstance(value, cls):
                    return {kind: write(value)}
    raise BadRequest(
        f"The variable {name} is {shown(value)}, which can't be kept until the runs of the round begin. Use a text, a "
        f"number, a timestamp or a list of such, or an object's key. (Known: {', '.join(_KINDS)}.)"
    )


def _read(value: Any) -> Any:
    match value:
        case dict():
            ((kind, text),) = value.items()
            return _KINDS[kind][2](text)
        case list():
            return [_read(item) for item in value]
        case _:
            return value
