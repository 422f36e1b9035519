"""Variables as JSON, in which a database stores them between a round of a timer and its runs."""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from afterwork.errors import BadRequest, shown

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
