"""Printing of results: as plain text, or as JSON."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy.exc import DBAPIError

from afterwork.insight import CacheSummary, OnceView, TimerView
from afterwork.model.external_id import external_id
from afterwork.store.progress import ReportedProgress

SPARK_BARS = "▁▂▃▄▅▆▇█"

NO_BAR = "·"

MAX_CELL_CHARACTERS = 60
"""The most characters of a value that a table shows."""


def print_result(text: str, data: object, as_json: bool) -> None:
    """Print the text, or the data as JSON."""
    click.echo(json.dumps(_plain(data), indent=2) if as_json else text)


def print_line(data: object) -> None:
    """Print data as one line of JSON, for a command that prints one after the other."""
    click.echo(json.dumps(_plain(data)))


def _plain(value: object) -> object:
    """Return data as JSON has it."""
    match value:
        case Mapping():
            return {str(key): _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case set() | frozenset():
            return sorted(map(_plain, value), key=str)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return _plain_value(value)


def _plain_value(value: object) -> object:
    """Return one value as JSON has it: a timestamp as ISO 8601, a duration in seconds, infinity and NaN as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case None | int() | str():
            return value
        case _:
            return str(value)


def table_lines(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str | None = None) -> Iterator[str]:
    """Yield the lines of a table in plain text, or `empty` if it has no rows."""
    if not rows and empty is not None:
        yield empty
        return
    cells = [[_short(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_CELL_CHARACTERS else f"{line[: MAX_CELL_CHARACTERS - 1]}…"


def utc_text(moment: datetime | None) -> str:
    """Format a timestamp in UTC, to the second."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def name_text(shown: CacheSummary | TimerView | OnceView) -> str:
    """Return a name, with a note if the model no longer has it."""
    return shown.name if shown.known else f"{shown.name} (no longer in the model)"


def progress_text(run: ReportedProgress) -> str:
    """Format the progress that a run reports."""
    of = "" if run.total is None else f"/{run.total:,}"
    return "" if run.done is None else f"{run.done:,}{of}"


def sparkline(values: Sequence[int], width: int) -> str:
    """Return numbers as bars, a character each, or one for several neighbours if they exceed `width`."""
    group_size = -(-len(values) // width)
    sums = [sum(values[start : start + group_size]) for start in range(0, len(values), group_size or 1)]
    highest = max(sums, default=0)
    return "".join(SPARK_BARS[-(-value * len(SPARK_BARS) // highest) - 1] if value else NO_BAR for value in sums)


def error_text(error: Exception) -> str:
    """Return the message of an error, without a traceback, a statement or its parameters."""
    return f"The database says: {str(error.orig).strip()}" if isinstance(error, DBAPIError) else str(error)


def value_view(value: Any) -> Any:
    """Return a value of an expression as JSON, with objects as their external ids."""
    match value:
        case list() | set() | frozenset():
            return [value_view(element) for element in value]
        case tuple() if hasattr(value, "_asdict"):
            return {name: value_view(part) for name, part in value._asdict().items()}
        case tuple():
            return [value_view(element) for element in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return external_id(value) if hasattr(value, "_sa_instance_state") else str(value)


def value_lines(value: Any) -> Iterator[str]:
    """Yield a value as text, with a line for each element of a collection."""
    for element in value if isinstance(value, list) else [value]:
        yield "null" if element is None else str(element).lower() if isinstance(element, bool) else str(element)
