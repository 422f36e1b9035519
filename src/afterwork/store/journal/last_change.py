"""When and why values in sets were last written, of the derivations that keep it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Integer, Select, cast, func, literal, null, select
from sqlalchemy.types import Text

from afterwork.model.key import is_one_of
from afterwork.store.journal.tables import last_change
from afterwork.store.upsert import insert_into

NO_CHANGE = 0
"""The `via` of a touch that no change made: of all objects in turn, or of one by hand."""

COLUMNS = ("own", "key", "changed_at", "route")
"""The columns of a last change, as `noted` takes them."""

NO_ROUTE: ColumnElement[Any] = cast(null(), Integer)
"""The route of a value that no change has touched."""


@dataclass(frozen=True)
class LastChange:
    """When a value was last written, and the number of the route by which a change had touched it.

    There is no route if none had.
    """

    changed_at: datetime
    route: int | None


def key_text(key: Sequence[ColumnElement[Any]], dialect: str) -> ColumnElement[Any]:
    """Return the text by which an object with this key is known."""
    if dialect == "postgresql":
        return cast(func.json_build_array(*key), Text)
    return func.json_array(*key)


def noted(rows: Select[Any], dialect: str) -> Any:
    """Return the statement that notes last changes: rows of `COLUMNS`, instead of those that are known."""
    new = insert_into(dialect, last_change)
    values = {"changed_at": new.excluded.changed_at, "route": new.excluded.route}
    return new.from_select(COLUMNS, rows).on_conflict_do_update(index_elements=["own", "key"], set_=values)


def forgotten(own: int, keys: Select[Any]) -> Delete:
    """Return the statement that forgets the last changes of objects with these keys as texts."""
    return last_change.delete().where(last_change.c.own == own, last_change.c.key.in_(keys))


def last_changes(
    connection: Connection, own: int, key: Sequence[ColumnElement[Any]], keys: Iterable[tuple[Any, ...]]
) -> Mapping[tuple[Any, ...], LastChange]:
    """Return the last changes of objects by their keys, as far as they are kept. `key` are the columns of keys."""
    wanted = list(keys)
    if not wanted:
        return {}
    c = last_change.c
    is_known = c.key == key_text(key, connection.dialect.name)
    query = select(*key, c.changed_at, c.route).where(c.own == own, is_known, is_one_of(key, wanted))
    return {tuple(row[:-2]): LastChange(*row[-2:]) for row in connection.execute(query)}


def forget_last_changes(connection: Connection, own: Iterable[int]) -> None:
    """Forget all last changes of derivations, given by the routes of their objects' own rows."""
    connection.execute(last_change.delete().where(last_change.c.own.in_(list(own))))


def pass_on_last_changes(connection: Connection, dropped: int, heir: int | None) -> None:
    """Give the last changes of a route that is dropped to its heir, or forget them."""
    mine = last_change.c.own == dropped
    if heir is None:
        connection.execute(last_change.delete().where(mine))
    else:
        connection.execute(last_change.update().where(mine).values(own=heir))


def route_of(number: int) -> ColumnElement[Any]:
    """Return the number of a route as a value."""
    return literal(number, Integer())
