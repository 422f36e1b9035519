"""Cases as data: each is evaluated as a value and, where possible, as SQL, and both must have the expected result."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from afterwork.errors import NotInSQL
from afterwork.language.query import compile_query, to_select
from afterwork.language.run.values import as_timestamp
from afterwork.language.typed.members import type_of_value
from afterwork.language.typed.types import CollectionType, ObjectType
from tests.support.language.model import Customer, names

FOLDER = Path(__file__).parents[2] / "language" / "cases"


@dataclass(frozen=True)
class Case:
    """One case. `sql` says whether it must become SQL (`yes`), must not (`no`), or may (`auto`)."""

    id: str
    expression: str
    result: Any = None
    error: str | None = None
    sql: str = "auto"
    dialect: Any = "original"


def cases() -> Iterator[Case]:
    """Yield all cases of the folder."""
    for file in sorted(FOLDER.glob("*.yaml")):
        for number, given in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")), 1):
            sql = {True: "yes", False: "no"}.get(given.pop("sql", None), "auto")
            yield Case(f"{file.stem}-{number}", given.pop("ocl"), sql=sql, **given)


def value(case: Case, session: Session) -> Any:
    """Return the value of a case, with customer 1 as self."""
    query = compile_query(case.expression, names(), Customer, dialect=case.dialect)
    return plain(query(session.get_one(Customer, 1), session=session))


def by_sql(case: Case, session: Session) -> Any:
    """Return the result of a case as SQL. Raises `NotInSQL`."""
    ada = session.get_one(Customer, 1)
    statement = to_select(case.expression, names(), Customer, values={"self": ada}, dialect=case.dialect)
    rows = list(session.scalars(statement))
    kind = compile_query(case.expression, names(), Customer, dialect=case.dialect).expression.tree.type
    if isinstance(kind, CollectionType):
        return plain(rows)
    return plain(rows[0] if rows else None)


def plain(value: Any) -> Any:
    """Return a value as YAML can have it: objects as `Class 1`, decimals as floats, timestamps as texts."""
    match value:
        case list():
            return [plain(item) for item in value]
        case tuple():
            return {name: plain(part) for name, part in zip(value._fields, value, strict=True)}  # type: ignore[attr-defined]
        case Enum():
            return f"#{value.name}"
        case datetime():
            return str(as_timestamp(value))
        case Decimal():
            return float(value)
        case None | bool() | int() | float() | str():
            return value
    if isinstance(type_of_value(value), ObjectType):
        return f"{type(value).__name__} {value.id}"
    return str(value)


def in_order(value: Any, kind: Any) -> Any:
    """Return a collection without order in a fixed order."""
    if isinstance(kind, CollectionType) and kind.kind in {"Set", "Bag"}:
        return sorted(value, key=repr)
    return value


def sql_or_none(case: Case, session: Session) -> tuple[Any, NotInSQL | None]:
    """Return the result of a case as SQL, or the error that it can't become SQL."""
    try:
        return by_sql(case, session), None
    except NotInSQL as error:
        return None, error
