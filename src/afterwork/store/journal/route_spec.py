"""Routes as the triggers know them: which changes of a table touch what."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, literal, select

from afterwork.store.journal import tables as own
from afterwork.store.journal.last_change import pass_on_last_changes
from afterwork.store.upsert import insert_into

Role = Literal["back", "own", "overwritten"]
"""The part that a route plays: "own" leads from an object's row to the object, "back" from another row to objects, and
"overwritten" from an object whose value somebody has changed to the object."""


@dataclass(frozen=True)
class RouteSpec:
    """A route of a derivation, in terms of the names in the database.

    `columns` are the values that a touch has, `counting` the columns of which an update counts. With `at_commit`, the
    transaction that touches something follows the route itself.
    """

    derivation: str
    table: str
    role: Role
    columns: tuple[str, ...]
    counting: tuple[str, ...]
    at_commit: bool = False


@dataclass(frozen=True)
class NumberedRoute:
    """A route with its number, as triggers write it."""

    number: int
    spec: RouteSpec


def routes_by_table(connection: Connection) -> Mapping[int, Sequence[NumberedRoute]]:
    """Return the routes of all applications, by the number of the table where they begin.

    Several applications may have the same: it goes by the lowest of its numbers.
    """
    routes: dict[int, list[NumberedRoute]] = defaultdict(list)
    rows = connection.execute(select(own.tracked_table.c.id, own.tracked_table.c.name))
    names = {row.id: row.name for row in rows}
    known: set[tuple[int, RouteSpec]] = set()  # a table that is new has no name here yet
    for row in connection.execute(select(own.route).order_by(own.route.c.id)):
        spec = RouteSpec(
            row.derivation,
            names.get(row.table_id, ""),
            row.role,
            tuple(json.loads(row.columns)),
            tuple(json.loads(row.counting)),
            row.at_commit,
        )
        if (row.table_id, spec) not in known:
            known.add((row.table_id, spec))
            routes[row.table_id].append(NumberedRoute(row.id, spec))
    return routes


@dataclass(frozen=True)
class DroppedRoute:
    """A route that no trigger writes any more. `heir` is the same route of another application, if there is one."""

    number: int
    heir: int | None


def save_routes(
    connection: Connection, application: str, specs: Iterable[RouteSpec], tables: Mapping[str, int]
) -> list[DroppedRoute]:
    """Make these the routes of an application, which has dropped the others. Known ones keep their numbers."""
    wanted = {_values(application, spec, tables[spec.table]) for spec in specs}
    c = own.route.c
    columns = c.application, c.derivation, c.table_id, c.role, c.columns, c.counting, c.at_commit
    present = {tuple(row[1:]): row.id for row in connection.execute(select(c.id, *columns))}
    gone = {values: number for values, number in present.items() if values[0] == application and values not in wanted}
    connection.execute(own.route.delete().where(c.id.in_(gone.values())))
    for values in sorted(wanted - present.keys(), key=repr):
        names = (column.name for column in columns)
        connection.execute(own.route.insert().values(dict(zip(names, values, strict=True))))
    kept = [(values, number) for values, number in present.items() if number not in gone.values()]
    return [
        DroppedRoute(number, min((other for same, other in kept if same[1:] == values[1:]), default=None))
        for values, number in gone.items()
    ]


def pass_on_touches(connection: Connection, dropped: Iterable[DroppedRoute]) -> None:
    """Give touches and last changes of dropped routes to their heirs, once no writer has an old trigger any more."""
    touch = own.touch
    for route in dropped:
        mine = touch.c.route == route.number
        if route.heir is not None:
            names = [column.name for column in touch.c if column is not touch.c.route]
            passed_on = select(literal(route.heir), *(touch.c[name] for name in names)).where(mine)
            insert = insert_into(connection.dialect.name, touch).from_select(["route", *names], passed_on)
            connection.execute(insert.on_conflict_do_nothing())
        connection.execute(touch.delete().where(mine))
        pass_on_last_changes(connection, route.number, route.heir)


def forget_touches(connection: Connection, derivations: Iterable[str]) -> None:
    """Delete the touches of some derivations, all of whose objects will be touched."""
    routes = select(own.route.c.id).where(own.route.c.derivation.in_(list(derivations)))
    connection.execute(own.touch.delete().where(own.touch.c.route.in_(routes)))


def forget_unknown_touches(connection: Connection) -> None:
    """Delete the touches of dropped routes, which are written until the table's triggers are installed again."""
    connection.execute(own.touch.delete().where(own.touch.c.route.not_in(select(own.route.c.id))))


def _values(application: str, spec: RouteSpec, table_id: int) -> tuple[object, ...]:
    columns, counting = json.dumps(spec.columns), json.dumps(spec.counting)
    return application, spec.derivation, table_id, spec.role, columns, counting, spec.at_commit
