"""Questions that caches ask of the application's tables, and the indexes that answer them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Table, func, inspect, select

from afterwork.insight.check.finding import Finding, Scene
from afterwork.journal import capture
from afterwork.manifest.shape import Where
from afterwork.manifest.shapes import Shapes
from afterwork.manifest.tables import definition as definitions
from afterwork.manifest.tables import use as uses


def look(scene: Scene) -> Iterator[Finding]:
    """Columns by which runs of caches have asked for rows, and with which no index begins."""
    if not scene.model.caches:
        return
    asked = _asked(scene)
    missing = [
        (table, columns, names)
        for (table, columns), names in asked.items()
        if not columns.intersection(_first_columns(scene, table)) and _is_large(scene, table)
    ]
    for table, columns, names in missing:
        words = " and ".join(sorted(columns))
        advice = f"Each question looks at all rows. {_index(table, columns)} would help {', '.join(sorted(names))}."
        yield Finding(f"caches ask {table.fullname} by {words}, and no index begins with it", False, advice, True)
    if not missing:
        yield Finding(f"indexes for the {len(asked)} kinds of questions that caches ask", True)


def _asked(scene: Scene) -> Mapping[tuple[Table, frozenset[str]], set[str]]:
    """The columns by whose values runs have ever asked for rows of a table, and the caches that did."""
    shapes = Shapes(capture.load(scene.connection, scene.model.tables))
    shapes.load(scene.connection)
    used = select(uses.c.shape, definitions.c.name).join(definitions, definitions.c.id == uses.c.definition)
    found: dict[tuple[Table, frozenset[str]], set[str]] = defaultdict(set)
    for number, name in scene.connection.execute(used):
        shape = shapes.shape(number)
        watch = shapes.watch(shape.watch)
        if isinstance(shape, Where) and shape.equal and watch is not None and name in scene.model.caches:
            found[watch.table, frozenset(shape.equal)].add(name)
    return found


def _first_columns(scene: Scene, table: Table) -> set[str]:
    """The columns with which an index of a table begins, in the database."""
    inspector, where = inspect(scene.connection), {"schema": table.schema}
    ways: list[Sequence[str | None]] = [index["column_names"] for index in inspector.get_indexes(table.name, **where)]
    ways += [unique["column_names"] for unique in inspector.get_unique_constraints(table.name, **where)]
    ways.append(inspector.get_pk_constraint(table.name, **where)["constrained_columns"])
    return {way[0] for way in ways if way and way[0] is not None}


def _is_large(scene: Scene, table: Table) -> bool:
    """Whether a table has more rows than can be looked at in no time. Counts no further than that."""
    some = select(1).select_from(table).limit(scene.limits.small_table).subquery()
    return scene.connection.execute(select(func.count()).select_from(some)).scalar_one() >= scene.limits.small_table


def _index(table: Table, columns: frozenset[str]) -> str:
    return f"CREATE INDEX ON {table.fullname} ({', '.join(sorted(columns))})"
