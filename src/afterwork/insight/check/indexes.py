"""Checks that indexes serve the queries of jobs on the application's tables."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, func, inspect, select
from sqlalchemy.sql import visitors

from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.manifest.reads import QueryRead
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import use as uses
from afterwork.store.journal import capture

QueriedColumns = Mapping[tuple[Table, frozenset[str]], set[str]]
"""The jobs that select rows of a table by some of its columns."""


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield columns by which jobs select rows, and with which no index begins."""
    queried = [*_by_timers(scene).items(), *_by_caches(scene).items()]
    asked = {(table, columns): names for (table, columns), names in queried if _is_there(scene, table, columns)}
    missing = [
        (table, columns, names)
        for (table, columns), names in asked.items()
        if not columns & _indexed(scene.connection, table) and _is_large(scene, table)
    ]
    for table, columns, names in missing:
        words, index = " and ".join(sorted(columns)), f"{table.fullname} ({', '.join(sorted(columns))})"
        advice = f"Each query scans all rows. CREATE INDEX ON {index} may help {', '.join(sorted(names))}."
        yield Finding(
            f"{table.fullname} is queried by {words}, and no index begins with that", False, advice, is_note=True
        )
    if not missing:
        yield Finding(f"queries of timers and caches without an index: 0 of {len(asked):,}", True)


def _by_caches(scene: CheckContext) -> QueriedColumns:
    """Return the columns by which runs of caches have ever selected rows."""
    queried: dict[tuple[Table, frozenset[str]], set[str]] = defaultdict(set)
    if scene.model.derivations:
        patterns = ReadPatterns(capture.load(scene.connection, scene.model.tables), scene.connection.dialect)
        used = select(uses.c.read_pattern, derivations.c.name).join(derivations, derivations.c.id == uses.c.derivation)
        rows = scene.connection.execute(used).all()
        patterns.load(scene.connection)  # after that, since servers may note new ones at any time
        for number, name in rows:
            pattern = patterns.pattern(number)
            tracked_table = patterns.table(pattern.table_id)
            if (
                isinstance(pattern, QueryRead)
                and pattern.equal
                and tracked_table is not None
                and name in scene.model.derivations
            ):
                queried[tracked_table.table, frozenset(pattern.equal)].add(name)
    return queried


def _by_timers(scene: CheckContext) -> QueriedColumns:
    """Return the columns of the root's table by which a criteria selects, if it is a plain `select`."""
    queried: dict[tuple[Table, frozenset[str]], set[str]] = defaultdict(set)
    for name, timed in scene.model.timers.items():
        criteria = timed.when.criteria
        if isinstance(criteria, Select) and criteria.whereclause is not None and timed.root is not None:
            parts = visitors.iterate(criteria.whereclause)
            columns = [part for part in parts if isinstance(part, Column) and part.table is timed.root.local_table]
            if columns and isinstance(timed.root.local_table, Table):
                queried[timed.root.local_table, frozenset(column.name for column in columns)].add(name)
    return queried


def _is_there(scene: CheckContext, table: Table, columns: frozenset[str]) -> bool:
    """Return whether a table exists. Another check reports missing ones."""
    return inspect(scene.connection).has_table(table.name, schema=table.schema)


def _indexed(connection: Connection, table: Table) -> Set[str]:
    """Return the first columns of a table's indexes, and those in their conditions."""
    inspector, where = inspect(connection), {"schema": table.schema}
    ways = [unique["column_names"] for unique in inspector.get_unique_constraints(table.name, **where)]
    ways.append(inspector.get_pk_constraint(table.name, **where)["constrained_columns"])
    columns = {way[0] for way in ways if way}
    for index in inspector.get_indexes(table.name, **where):
        columns |= _begin(dict(index))
    return columns


def _begin(index: Mapping[str, Any]) -> Set[str]:
    """Return the words of an index's first expression, and of its condition."""
    first = (index.get("expressions") or index["column_names"] or [""])[0]
    options = index.get("dialect_options", {})
    limits = [str(options.get(f"{kind}_where", "")) for kind in ("postgresql", "sqlite")]
    return {str(first), *re.findall(r"\w+", " ".join([str(first), *limits]))}


def _is_large(scene: CheckContext, table: Table) -> bool:
    """Return whether a table has more rows than a full scan reads in no time. Counts no further than that."""
    rows = select(1).select_from(table).limit(scene.limits.small_table).subquery()
    return scene.connection.execute(select(func.count()).select_from(rows)).scalar_one() >= scene.limits.small_table
