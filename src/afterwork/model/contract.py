"""The contract of a ticket: the attributes of a class named SysAsyncTicket, and their meaning.

Attributes are matched by name without regard to case and underscores, so the class may be hand-written, reflected from
a table, or mapped imperatively. Source of the names: MDriven, "Doing stuff later".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Enum, Table, Uuid
from sqlalchemy.orm import Mapper

from afterwork.errors import ModelError
from afterwork.language.syntax.spelling import folded
from afterwork.model.column_types import has_zone, kinds, python_type
from afterwork.model.utc_datetime import UtcDateTime

CLASS_NAME = "SysAsyncTicket"
HOW_TO_HAVE_TICKETS = f"Add one: class {CLASS_NAME}(aw.AsyncTicket, Base): ..."
DEFAULT_KEEP_MINUTES = 10

MAX_KEEP_MINUTES = 525_960_000
"""1,000 years: with more, a receipt's DeleteTime would soon lie beyond the calendar."""


@dataclass(frozen=True)
class ContractAttribute:
    """One mapped attribute of the ticket class: its name in Python, and its column."""

    name: str
    column: Column[Any]


@dataclass(frozen=True)
class Expected:
    """The contract's terms for one attribute."""

    type: type | tuple[type, ...]
    nullable: bool
    required: bool
    aliases: tuple[str, ...] = ()


EXPECTED: Mapping[str, Expected] = {
    "view_model": Expected(str, nullable=True, required=True),
    "root_id": Expected(str, nullable=True, required=True),
    "execute_earliest": Expected(datetime, nullable=True, required=True),
    "keep_receipt_minutes": Expected(int, nullable=False, required=True),
    "done": Expected(datetime, nullable=True, required=True),
    "delete_time": Expected(datetime, nullable=True, required=True),
    "error": Expected(str, nullable=True, required=True),
    "priority": Expected(int, nullable=True, required=False),
    "lane": Expected(str, nullable=True, required=False),
    "attempts": Expected(int, nullable=False, required=False),
    "created": Expected(datetime, nullable=True, required=False, aliases=("created_at", "create_time")),
    "not_after": Expected(datetime, nullable=True, required=False),
    "trace_parent": Expected(str, nullable=True, required=False),
    "arguments": Expected((str, dict), nullable=True, required=False),
    "result": Expected((str, dict), nullable=True, required=False),
}


@dataclass(frozen=True, eq=False)
class Contract:
    """The ticket class of a model, with the attributes that the contract names."""

    mapper: Mapper[Any]
    table: Table
    key: ContractAttribute
    view_model: ContractAttribute
    root_id: ContractAttribute
    execute_earliest: ContractAttribute
    keep_receipt_minutes: ContractAttribute
    done: ContractAttribute
    delete_time: ContractAttribute
    error: ContractAttribute
    priority: ContractAttribute | None
    lane: ContractAttribute | None
    attempts: ContractAttribute | None
    created: ContractAttribute | None
    not_after: ContractAttribute | None
    trace_parent: ContractAttribute | None
    arguments: ContractAttribute | None
    result: ContractAttribute | None
    lanes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """If the class has no Lane: the works of each lane but `main`, which tell its tickets apart."""

    @classmethod
    def of(cls, mapper: Mapper[Any]) -> "Contract":
        """Match a mapped class with the contract. Raises `ModelError` with all that is missing or of a wrong type."""
        problems = list(_problems(mapper))
        if problems:
            raise ModelError(problems)
        names = {f.name for f in fields(cls)} - {"mapper", "table", "key", "lanes"}
        attributes = {name: next(iter(_matches(mapper, name)), None) for name in names}
        (key,) = mapper.primary_key
        name = next(name for name, column in mapper.columns.items() if column is key)
        return cls(mapper=mapper, table=mapper.local_table, key=ContractAttribute(name, key), **attributes)  # type: ignore[arg-type]


def _matches(mapper: Mapper[Any], name: str) -> list[ContractAttribute]:
    accepted = {folded(n) for n in (name, *EXPECTED[name].aliases)}
    return [ContractAttribute(key, column) for key, column in mapper.columns.items() if folded(key) in accepted]


def root_id_names(mapper: Mapper[Any]) -> list[str]:
    """Return the names of the attributes that would be RootId; one, if the class is a ticket."""
    return [attribute.name for attribute in _matches(mapper, "root_id")]


def _problems(mapper: Mapper[Any]) -> Iterator[str]:
    where = mapper.class_.__name__
    if not isinstance(mapper.local_table, Table):
        yield f"{where} is not mapped to a table but to {mapper.local_table.__class__.__name__}."
        return
    if len(mapper.primary_key) != 1:
        yield f"{where} has a primary key of {len(mapper.primary_key)} columns. A ticket needs one of one column."
    for name, expected in EXPECTED.items():
        matches = _matches(mapper, name)
        if not matches and expected.required:
            yield f"{where} has no attribute {name}: {_described(expected)}. {other_spelling(name)} would serve, too."
        if len(matches) > 1:
            same = " and ".join(attribute.name for attribute in matches)
            yield f"{where} has {same}, which are the same name ({name}) to the contract."
        for attribute in matches[:1]:
            yield from _mismatches(f"{where}.{attribute.name}", attribute.column, expected)


def _mismatches(where: str, column: Column[Any], expected: Expected) -> Iterator[str]:
    actual = python_type(column)
    if actual is None or not issubclass(actual, expected.type) or (actual is bool and expected.type is int):
        yield f"{where} is {column.type!r}. The contract needs {_described(expected)}."
    elif expected is EXPECTED["error"] and any(isinstance(kind, Enum | Uuid) for kind in kinds(column)):
        yield f"{where} is {column.type!r}. The server writes sentences of its own there: declare it as Text or String."
    elif expected.nullable and not column.nullable and expected.required:
        yield f"{where} can't be null. The contract needs {_described(expected)}."


def _described(expected: Expected) -> str:
    names = expected.type if isinstance(expected.type, tuple) else (expected.type,)
    return f"{' or '.join(each.__name__ for each in names)}{', null allowed' if expected.nullable else ''}"


def other_spelling(name: str) -> str:
    """Return another spelling of an attribute's name: RootId, for root_id."""
    return "".join(part.capitalize() for part in name.split("_"))


def receipt_minutes(asked: object) -> int:
    """Return the minutes for which a receipt is kept: its row's, or the default if those are invalid."""
    return asked if isinstance(asked, int) and 0 <= asked <= MAX_KEEP_MINUTES else DEFAULT_KEEP_MINUTES


def timestamp_for(column: Column[Any], dialect: str, timestamp: datetime) -> datetime:
    """Return an aware timestamp as a ticket's column needs it on a dialect. Naive columns hold UTC."""
    if isinstance(column.type, UtcDateTime) or (has_zone(column) and dialect != "sqlite"):
        return timestamp
    return timestamp.astimezone(UTC).replace(tzinfo=None)
