"""The parts of statements, and what SQLAlchemy makes of a select before it writes it as SQL."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Alias, BindParameter, Dialect, FromClause, Select
from sqlalchemy.orm import Query, RelationshipProperty
from sqlalchemy.orm.context import FromStatement
from sqlalchemy.sql import visitors
from sqlalchemy.sql.annotation import _deep_deannotate
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ColumnClause, _textual_label_reference
from sqlalchemy.sql.lambdas import StatementLambdaElement
from sqlalchemy.sql.selectable import CTE, GenerativeSelect
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

LabelReference = _textual_label_reference
"""A column that ORDER BY or GROUP BY names by a string. There is no public class for it."""

COMPILE_STATE_FUNCTIONS = "_compile_state_funcs" if hasattr(Select, "_compile_state_funcs") else "_with_context_options"
"""The attribute of a select with functions for its compilation, in SQLAlchemy 2.1 and in 2.0. They only order what is
loaded for a relationship, after it was joined."""

Cache = LRUCache
"""A thread-safe mapping that drops what was used longest ago, as SQLAlchemy keeps compiled statements."""


class CacheKey(NamedTuple):
    """A value that is equal for statements which differ only in the values of their parameters; and these."""

    key: object
    parameters: Sequence[BindParameter[Any]]


def cache_key_of(statement: Any) -> CacheKey | None:
    """Return the key by which SQLAlchemy keeps a statement's compiled form; None if it doesn't keep it."""
    key = statement._generate_cache_key()
    return None if key is None else CacheKey(key.key, key.bindparams)


def texts_around(element: Any) -> Iterator[str]:
    """Yield the texts that a select was given as prefixes and suffixes, which a traversal doesn't visit."""
    for clause, _ in (*getattr(element, "_prefixes", ()), *getattr(element, "_suffixes", ())):
        yield str(clause)


def unwrapped(statement: Any) -> Any:
    """Return the statement within a lambda or `from_statement`."""
    while isinstance(statement, StatementLambdaElement | FromStatement):
        statement = statement.element if isinstance(statement, FromStatement) else statement._resolved
    return statement


def unwrapped_lambda(statement: Any) -> Any:
    """Return the statement that a lambda makes. Its attributes are the lambda's, but not its options."""
    return statement._resolved if isinstance(statement, StatementLambdaElement) else statement


def written_values(statement: Any) -> Iterator[Any]:
    """Yield the values that an INSERT or UPDATE writes, those for a conflict included. Only compilers may see them."""
    yield from (getattr(statement, "_values", None) or {}).values()
    yield from (value for _, value in getattr(statement, "_ordered_values", None) or ())
    for rows in getattr(statement, "_multi_values", ()):
        for row in rows:
            yield from row.values() if isinstance(row, dict) else row
    conflict: Any = getattr(statement, "_post_values_clause", None)
    yield from dict(getattr(conflict, "update_values_to_set", ())).values()  # pairs in SQLAlchemy 2.0


def written_table(statement: UpdateBase) -> Any:
    """Return the table that an INSERT, UPDATE or DELETE writes, by whatever name.

    The public `entity_description` fails if the statement is on a table, and a condition names a mapped class.
    """
    table: Any = statement.table
    if entity_of(table) is not None:
        return statement.entity_description["table"]
    while isinstance(table, Alias):
        table = table.element
    return table


def set_columns(statement: Any) -> Iterator[Any]:
    """Yield what an UPDATE sets: columns, or their keys."""
    yield from getattr(statement, "_values", None) or ()
    yield from (name for name, _ in getattr(statement, "_ordered_values", None) or ())


# The parts of a select. The public getters give them as they were written, without what criteria and mappers add.


def ordering_and_grouping(select: Select[Any]) -> Iterator[Any]:
    """Yield what groups, orders and cuts the rows of a select."""
    yield from select._group_by_clauses
    yield from select._having_criteria
    yield from select._order_by_clauses
    yield from select._distinct_on
    cuts = (select._limit_clause, select._offset_clause, select._fetch_clause)
    yield from (clause for clause in cuts if clause is not None)


def is_distinct(select: Select[Any]) -> bool:
    """Return whether a select drops equal rows."""
    return select._distinct


def is_limited(element: Any) -> bool:
    """Return whether an element is a select that returns only some of its rows."""
    clauses = (getattr(element, name, None) for name in ("_limit_clause", "_offset_clause", "_fetch_clause"))
    return isinstance(element, GenerativeSelect) and any(clause is not None for clause in clauses)


def with_left_side(select: Select[Any]) -> Select[Any]:
    """Return a select that names the table where its joins begin, as its columns do by themselves."""
    if not select._setup_joins or select._from_obj:
        return select
    return select.select_from(*select.columns_clause_froms)


def raw_columns(select: Select[Any]) -> Sequence[Any]:
    """Return what a select was made of: columns, and the tables of mapped classes."""
    return select._raw_columns


def all_selected(select: Select[Any]) -> Iterable[Any]:
    """Return the columns of a select, texts among them included."""
    return select._all_selected_columns


def where_conditions(select: Select[Any]) -> Iterable[Any]:
    """Return the conditions of a select, each by itself."""
    return select._where_criteria


def unread_ctes(select: Select[Any]) -> Iterable[CTE]:
    """Return the CTEs that a select was given by `add_cte` and doesn't read."""
    return select._independent_ctes


def tables_within(member: FromClause) -> Iterable[FromClause]:
    """Return the tables that a member of FROM brings, each side of a join by itself."""
    return member._from_objects


def aliased_cte(cte: CTE) -> CTE | None:
    """Return the CTE that another one is an alias of."""
    return cte._cte_alias


def selected_behind(column: ColumnClause[Any]) -> list[Any]:
    """Return the expressions that a subquery selects as this column; several for a union."""
    return list(getattr(column, "_proxies", ()))


def entity_of(element: Any) -> Any:
    """Return the mapped class, or alias of one, that an element stands for; None if it stands for none."""
    return element._annotations.get("parententity")


def is_remote(column: Any) -> bool:
    """Return whether a column of a relationship's condition belongs to the other side."""
    return "remote" in column._annotations


def without_annotations(clause: Any) -> Any:
    """Return a copy of a clause without annotations.

    They are named, since SQLAlchemy 2.0 otherwise changes the original: the conditions of relationships would lose
    which of their columns are remote.
    """
    names = {name for element in visitors.iterate(clause) for name in getattr(element, "_annotations", ())}
    return _deep_deannotate(clause, sorted(names))


def original_of(parameter: BindParameter[Any], originals: Set[BindParameter[Any]]) -> BindParameter[Any]:
    """Return the one of the originals that a parameter is a copy of, or the parameter. Copies have other names."""
    copies: Any = parameter._cloned_set
    return next((copy for copy in copies if copy in originals), parameter)


def are_same_type(left: TypeEngine[Any], right: TypeEngine[Any]) -> bool:
    """Return whether two column types are the same class with the same arguments."""
    return left is right or (type(left) is type(right) and left._static_cache_key == right._static_cache_key)


@dataclass(frozen=True)
class Surroundings:
    """The position of a select. It has the tables of the select around it, those of all selects around that, and
    whether it is in FROM, possibly as LATERAL."""

    tables: Set[FromClause] = frozenset()
    all_tables: Set[FromClause] = frozenset()
    in_from: bool = False
    lateral: bool = False


def resolve_from(
    select: Select[Any], dialect: Dialect, attributes: Mapping[Any, Any], around: Surroundings
) -> tuple[Select[Any], list[FromClause]]:
    """Return a select as it is about to be written, without mapped classes and with criteria added; and its FROM.

    `attributes` carry the criteria. Only the compiler knows which tables a correlated subquery leaves out.
    """
    if getattr(select, COMPILE_STATE_FUNCTIONS):
        select = select._generate()
        setattr(select, COMPILE_STATE_FUNCTIONS, ())
    own, every = set(around.tables), set(around.all_tables)
    compiler: Any = dialect.statement_compiler(dialect, None)
    compiler._global_attributes = attributes
    # An entry for what is around it also says that nothing is to be loaded along with objects.
    compiler.stack = [{"asfrom_froms": own, "correlate_froms": every, "selectable": select}]
    state: Any = select._compile_state_factory(select, compiler, asfrom=around.in_from, lateral=around.lateral)
    is_uncorrelated = around.in_from and not around.lateral
    froms = state._get_display_froms(
        explicit_correlate_froms=every - own if is_uncorrelated else every,
        implicit_correlate_froms=() if is_uncorrelated else own,
    )
    return state.statement, list(froms)


def as_relationship_load(statement: Select[Any], prop: RelationshipProperty[Any]) -> Select[Any]:
    """Mark a statement as the load of a relationship, so that listeners (`is_relationship_load`) take it for that."""
    path: Any = prop.parent._path_registry
    options: Any = Query._compile_options
    return statement._set_compile_options(options + {"_current_path": path[prop]})
