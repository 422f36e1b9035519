"""Selects as SQLAlchemy would render them: which tables stand in their FROM, and which belong to one around them."""

from dataclasses import dataclass, field
from operator import is_
from typing import Any

from sqlalchemy import Dialect, FromClause, Select
from sqlalchemy.sql.selectable import CompoundSelect

from afterwork.derived.tracking.loader_criteria import Criteria, criteria_in, for_compiler
from afterwork.derived.tracking.mapped_tables import discriminator_columns
from afterwork.derived.tracking.query.flat_query import CannotFlatten, SubqueryPath, TableRef


@dataclass(eq=False)
class Inner:
    """A subquery in FROM. `is_plain` says that it has a row for each row of its tables that meets its conditions."""

    scope: "SelectScope | None"
    is_plain: bool


Origin = TableRef | Inner | None
"""What is behind a member of FROM. None: a function, or a list of values."""


@dataclass(eq=False)
class SelectScope:
    """One select. `origins` are the members of its FROM, `around` is the select that it stands in, `criteria` are added
    to it."""

    subquery_path: SubqueryPath
    around: "SelectScope | None" = None
    origins: dict[FromClause, Origin] = field(default_factory=dict)
    own: set[FromClause] = field(default_factory=set)
    all: set[FromClause] = field(default_factory=set)
    criteria: Criteria = ()

    def origin(self, member: FromClause) -> Origin:
        """What is behind a member of FROM, here or further out. Raises `Unclear` if there is no such member."""
        scope: SelectScope | None = self
        while scope is not None:
            if member in scope.origins:
                return scope.origins[member]
            scope = scope.around
        raise CannotFlatten(f"{member} is in no FROM")


def resolved(
    statement: Select[Any],
    around: SelectScope | None,
    criteria: Criteria,
    dialect: Dialect,
    *,
    in_from: bool,
    lateral: bool,
) -> tuple[Select[Any], list[FromClause]]:
    """A select without mapped classes, as it stands inside of another and with criteria added, and its FROM."""
    if statement._compile_state_funcs:  # which only order what is loaded for an end, after it was joined
        statement = statement._generate()
        statement._compile_state_funcs = ()
    compiler: Any = dialect.statement_compiler(dialect, None)
    own, every = (around.own, around.all) if around is not None else (set(), set())
    compiler._global_attributes = for_compiler(criteria)
    # An entry for what is around it also says that nothing is to be loaded along with objects.
    compiler.stack = [{"asfrom_froms": own, "correlate_froms": every, "selectable": statement}]
    state: Any = statement._compile_state_factory(statement, compiler, asfrom=in_from, lateral=lateral)
    beside = in_from and not lateral
    froms = state._get_display_froms(
        explicit_correlate_froms=every - own if beside else every,
        implicit_correlate_froms=() if beside else own,
    )
    return state.statement, list(froms)


def entities_by_key(statement: Select[Any]) -> tuple[Select[Any], set[tuple[Any, str]]]:
    """A select of objects as a select of their keys: their members are tracked as they are read. Also returns the
    columns, by table, that say of which class they are."""
    kinds: set[tuple[Any, str]] = set()
    columns: list[Any] = []
    for raw in statement._raw_columns:
        entity: Any = raw._annotations.get("parententity") if isinstance(raw, FromClause) else None
        if entity is None:
            columns.append(raw)
            continue
        mapper = entity.mapper
        columns += [getattr(entity.entity, mapper.get_property_by_column(key).key) for key in mapper.primary_key]
        kinds |= {(column.table, column.name) for column in discriminator_columns(mapper)}
    if all(map(is_, columns, statement._raw_columns)):
        return statement, kinds
    found = statement.with_only_columns(*columns, maintain_column_froms=True)
    return found.options(*criteria_in(statement._with_options)), kinds


def selects_of(statement: Any) -> list[Any]:
    """The selects that a union and the like is made of."""
    if isinstance(statement, CompoundSelect):
        return [found for part in statement.selects for found in selects_of(part)]
    if hasattr(statement, "element"):  # in brackets
        return selects_of(statement.element)
    return [statement]
