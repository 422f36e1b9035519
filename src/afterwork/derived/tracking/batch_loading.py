"""Batch loading: a relationship that is not loaded is loaded for all objects of its class by one query.

Only simple relationships are loaded this way. SQLAlchemy loads all others lazily, for one object at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import CHAR, Column, Integer, Result, Select, String, Table, Uuid, select
from sqlalchemy.orm import ClassManager, InstanceState, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.boundary import CONTAINED
from afterwork.compat.sqlalchemy_errors import is_refusal
from afterwork.compat.sqlalchemy_objects import has_own_loader
from afterwork.compat.sqlalchemy_options import may_concern
from afterwork.compat.sqlalchemy_statements import as_relationship_load, is_remote
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.link_rows import MAX_OBJECTS_PER_QUERY
from afterwork.derived.tracking.loader_criteria import Criteria, criteria_in
from afterwork.derived.tracking.mapping_clauses import as_inherited, equal_columns
from afterwork.derived.tracking.single_row_class import SingleRowClass, single_row_class
from afterwork.store.journal.text_forms import is_linked
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.untracked_statements import BATCH_LOAD, UNTRACKED

SIMPLE_LOADERS = ("select", True, "joined", "selectin", "subquery", "immediate")
"""Values of `lazy` with which a relationship is loaded when it is read, if not before."""


class BatchQuery(Protocol):
    """Builds the query for remote objects, or for columns of theirs, that local objects with some values have.

    `entity` is the remote class or table.
    """

    def __call__(self, values: Sequence[Any], entity: Any, *columns: Any) -> Select[Any]: ...


@dataclass(frozen=True)
class BatchLoader:
    """A loader of one relationship for many objects by one query.

    `local`: the classes that have the relationship. `member` of their objects holds the values by which the query asks,
    and which its rows begin with. `by_key`: these are the keys of the remote objects. `remote_rows`: how remote objects
    are read from rows, if they consist of one each.
    """

    prop: RelationshipProperty[Any]
    local: frozenset[ClassManager[Any]]
    member: str
    query: BatchQuery
    by_key: bool
    remote_rows: SingleRowClass | None

    def load(self, session: Session, state: InstanceState[Any]) -> None:
        """Load the relationship of an object, together with that of others in its session.

        Does nothing where this can't be done for the object.
        """
        if not self._can_load(state):
            return
        criteria = criteria_in(state.load_options)
        loadable = filter(self._can_load, session.identity_map.all_states())
        others = (other for other in loadable if other is not state and criteria_in(other.load_options) == criteria)
        states = [state, *islice(others, MAX_OBJECTS_PER_QUERY - 1)]
        if len(states) == 1:
            return
        with untracked(), _skipping_unreadable_rows():
            values = {state.dict[self.member] for state in states}
            self._set(states, self.load_objects(session, values, criteria))

    def _can_load(self, state: InstanceState[Any]) -> bool:
        prop, values = self.prop, state.dict
        return (
            state.manager in self.local
            and prop.key not in values
            and values.get(self.member) is not None
            and is_loaded_by_default(state, prop)
        )

    def load_objects(self, session: Session, values: Iterable[Any], criteria: Criteria) -> Mapping[Any, Iterable[Any]]:
        """Return the remote objects by the local values, each once and in order.

        They meet the criteria that the local objects were loaded with.
        """
        missing = set(values)
        objects: dict[Any, dict[Any, None]] = defaultdict(dict)
        remote = self.prop.mapper.class_
        if self.by_key:
            for value in list(missing):
                known = session.identity_map.get(session.identity_key(remote, value))
                if isinstance(known, remote) and not instance_state(known).expired:
                    objects[value][known] = None
                    missing.discard(value)
        if missing:
            statement = as_relationship_load(self.query(sorted(missing), remote, remote), self.prop)
            marked = {UNTRACKED: BATCH_LOAD}
            for value, obj in session.execute(statement.options(*criteria), execution_options=marked).unique():
                objects[value][obj] = None
        return objects

    def load_rows(self, session: Session, values: Iterable[Any], remote: SingleRowClass) -> Result[Any]:
        """Return the rows of the remote objects in order, each with the local value before it."""
        return session.connection().execute(self.query(sorted(values), remote.table, *remote.columns))

    def _set(self, states: Iterable[InstanceState[Any]], by_value: Mapping[Any, Iterable[Any]]) -> None:
        prop = self.prop
        for state in states:
            obj = state.obj()
            objects = list(by_value.get(state.dict[self.member], ()))
            if obj is None or prop.key in state.dict:
                continue
            if prop.uselist:
                set_committed_value(obj, prop.key, objects)
            elif len(objects) < 2:  # of more than one, SQLAlchemy warns
                set_committed_value(obj, prop.key, objects[0] if objects else None)


@contextmanager
def _skipping_unreadable_rows() -> Iterator[None]:
    """Leave the load to SQLAlchemy if a row can't be read, which may belong to another object.

    Raises what the database itself refuses, since it refuses all that follows.
    """
    try:
        with CONTAINED:
            yield
    except Exception as error:
        if is_refusal(error):
            raise


def is_loaded_by_default(state: InstanceState[Any], prop: Any) -> bool:
    """Return whether an object was loaded with nothing that says how this member of it is to be loaded."""
    return not has_own_loader(state, prop.key) and not any(may_concern(option, prop) for option in state.load_options)


def batch_loader_of(prop: RelationshipProperty[Any], tables: TrackedTables) -> BatchLoader | None:
    """Return the batch loader of a relationship; None if it is not simple."""
    if prop.lazy not in SIMPLE_LOADERS or not prop.entity.is_mapper:
        return None
    return _direct(prop, tables) if prop.secondary is None else _through_links(prop, tables)


def _direct(prop: RelationshipProperty[Any], tables: TrackedTables) -> BatchLoader | None:
    pair = _joined_columns(prop.primaryjoin, tables)
    if pair is None:
        return None
    local, remote = pair
    key = as_inherited(prop.mapper, remote)

    def query(values: Sequence[Any], entity: Any, *columns: Any) -> Select[Any]:
        return select(remote, *columns).where(remote.in_(values)).order_by(*(prop.order_by or ()))

    return _loader(prop, local, query, by_key=prop.mapper.primary_key == (key,) and not prop.uselist)


def _through_links(prop: RelationshipProperty[Any], tables: TrackedTables) -> BatchLoader | None:
    assert prop.secondaryjoin is not None
    near, far_pair = _joined_columns(prop.primaryjoin, tables), _joined_columns(prop.secondaryjoin, tables)
    link = prop.secondary
    if near is None or far_pair is None or not isinstance(link, Table):
        return None
    local, near_link = near
    far = far_pair[0] if far_pair[1].table is link else far_pair[1]
    far_link = far_pair[1] if far is far_pair[0] else far_pair[0]

    def query(values: Sequence[Any], entity: Any, *columns: Any) -> Select[Any]:
        joined = select(near_link, *columns).join_from(entity, link, far == far_link)
        return joined.where(near_link.in_(values)).order_by(*(prop.order_by or ()))

    return _loader(prop, local, query, by_key=False)


def _loader(
    prop: RelationshipProperty[Any], local: Column[Any], query: BatchQuery, *, by_key: bool
) -> BatchLoader | None:
    if not prop.parent.c.contains_column(local):
        return None
    classes = frozenset(mapper.class_manager for mapper in prop.parent.self_and_descendants)
    member = prop.parent.get_property_by_column(local).key
    return BatchLoader(prop, classes, member, query, by_key, single_row_class(prop.mapper))


def _joined_columns(condition: Any, tables: TrackedTables) -> tuple[Column[Any], Column[Any]] | None:
    """Return the local and the remote column of a condition that only equates them.

    None for any other condition, and if values that SQL holds for equal could be unequal in Python.
    """
    pair = equal_columns(condition)
    if pair is None:
        return None
    columns = [_comparable(column) for column in pair]
    local, remote = columns if is_remote(pair[1]) else reversed(columns)
    if local is None or remote is None or not _are_equal_in_python(local, remote, tables):
        return None
    return local, remote


def _are_equal_in_python(local: Column[Any], remote: Column[Any], tables: TrackedTables) -> bool:
    """Return whether values are equal in Python if the database holds them for equal.

    The model may not know that a column ignores case, or blanks, when it compares.
    """
    near, far = tables.of(local.table), tables.of(remote.table)
    if near is None or far is None:
        return False
    form = near.forms.get(local.name)
    return is_linked(form, far.forms.get(remote.name)) and form is not None and not form.ignores_blanks


def _comparable(column: Any) -> Column[Any] | None:
    """Return the table's own column, if values of its type compare in Python as in SQL."""
    own = column.table.columns.get(column.key) if isinstance(column.table, Table) else None
    type_ = None if own is None else own.type
    is_text = type(type_) is String or (isinstance(type_, String) and not isinstance(type_, CHAR))
    is_exact = isinstance(type_, Integer | Uuid) or (is_text and getattr(type_, "collation", None) is None)
    return own if is_exact else None
