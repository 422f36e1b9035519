"""Selects as SQLAlchemy would render them: the tables in their FROM, and those that belong to a select around them."""

from dataclasses import dataclass, field
from operator import is_
from typing import Any

from sqlalchemy import Dialect, FromClause, Select

from afterwork.compat.sqlalchemy_options import Criteria, compiler_attributes, criteria_in, options_of
from afterwork.compat.sqlalchemy_statements import Surroundings, entity_of, raw_columns, resolve_from
from afterwork.derived.tracking.mapping_clauses import discriminator_columns, lookup_columns
from afterwork.derived.tracking.query.flat_query import CannotFlatten, SubqueryPath, TableRef


@dataclass(eq=False)
class FromSubquery:
    """A subquery in FROM. It is plain if it has one row for each row of its tables that meets its conditions."""

    scope: "SelectScope | None"
    is_plain: bool


FromOrigin = TableRef | FromSubquery | None
"""The origin of a member of FROM. None: a function, or a list of values."""


@dataclass(eq=False)
class SelectScope:
    """One select: the `origins` of the members of its FROM, the select `around` it, and the `criteria` added to it.

    `tables` are those in its own FROM, `all_tables` also those in the selects around it.
    """

    subquery_path: SubqueryPath
    around: "SelectScope | None" = None
    origins: dict[FromClause, FromOrigin] = field(default_factory=dict)
    tables: set[FromClause] = field(default_factory=set)
    all_tables: set[FromClause] = field(default_factory=set)
    criteria: Criteria = ()

    def origin(self, member: FromClause) -> FromOrigin:
        """Return the origin of a member of FROM, here or further out. Raises `CannotFlatten` if there is none."""
        scope: SelectScope | None = self
        while scope is not None:
            if member in scope.origins:
                return scope.origins[member]
            scope = scope.around
        raise CannotFlatten(f"{member} is in no FROM")


@dataclass(frozen=True)
class SelectPosition:
    """Where a select stands in a statement."""

    path: SubqueryPath = ()
    around: SelectScope | None = None
    in_from: bool = False
    lateral: bool = False

    def resolve(
        self, statement: Select[Any], criteria: Criteria, dialect: Dialect
    ) -> tuple[Select[Any], list[FromClause]]:
        """Return a select without mapped classes, with criteria added, as it is written here; and its FROM."""
        around = self.around or SelectScope(())
        surroundings = Surroundings(around.tables, around.all_tables, self.in_from, self.lateral)
        return resolve_from(statement, dialect, compiler_attributes(criteria), surroundings)


def entities_by_key(statement: Select[Any]) -> tuple[Select[Any], set[tuple[Any, str]]]:
    """Return a select of objects as a select of their keys, since their members are tracked as they are read.

    Also returns the columns, as pairs of table and name, that tell the class of the objects.
    """
    discriminators: set[tuple[Any, str]] = set()
    columns: list[Any] = []
    for raw in raw_columns(statement):
        entity = entity_of(raw) if isinstance(raw, FromClause) else None
        if entity is None:
            columns.append(raw)
            continue
        mapper = entity.mapper
        columns += [getattr(entity.entity, mapper.get_property_by_column(key).key) for key in mapper.primary_key]
        if lookup_columns(mapper) and mapper.polymorphic_on is not None:
            discriminator = mapper.get_property_by_column(mapper.polymorphic_on).key
            columns.append(getattr(entity.entity, discriminator, mapper.polymorphic_on))
        discriminators |= {(column.table, column.name) for column in discriminator_columns(mapper)}
    if all(map(is_, columns, raw_columns(statement))):
        return statement, discriminators
    by_key = statement.with_only_columns(*columns, maintain_column_froms=True)
    return by_key.options(*criteria_in(options_of(statement))), discriminators
