"""No query per object: an association end that is not loaded is loaded for all objects of its class at once.

Only what is plain is loaded so. Everything else is left to SQLAlchemy's own lazy loading, one object at a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import CHAR, Column, Integer, Result, Select, String, Table, Uuid, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ClassManager, InstanceState, Load, Query, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.util import LoaderCriteriaOption

from afterwork.boundary import CONTAINED
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.loader_criteria import Criteria, criteria_in
from afterwork.derived.tracking.mapped_tables import as_inherited, equal_columns
from afterwork.derived.tracking.single_row_class import SingleRowClass, single_row_class
from afterwork.store.journal.text_forms import is_linked
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.untracked_statements import BATCH_LOAD, UNTRACKED

AT_ONCE = 500
"""Objects for which one query loads."""

PLAIN = ("select", True, "joined", "selectin", "subquery", "immediate")
"""Ends of these kinds are loaded when they are read, if they have not been before."""


class Ask(Protocol):
    """Makes the query for the far objects, or for columns of theirs, that near ones with some values have. `place` is
    the class or table that they are in."""

    def __call__(self, values: Sequence[Any], place: Any, *columns: Any) -> Select[Any]: ...


@dataclass(frozen=True)
class BatchLoader:
    """How an association end of many objects is loaded by one query. `near` are the classes that have it. `member` of
    their objects has the values by which the query asks, and which its rows begin with. `by_key`: these are the keys
    of the far objects. `far`: these are rows and no more."""

    prop: RelationshipProperty[Any]
    near: frozenset[ClassManager[Any]]
    member: str
    ask: Ask
    by_key: bool
    far: SingleRowClass | None

    def load(self, session: Session, state: InstanceState[Any]) -> None:
        """Load this end of an object, together with that of others in its session. Where this can't be done for the
        object, nothing is."""
        if not self._can_load(state):
            return
        criteria = criteria_in(state.load_options)
        waiting = filter(self._can_load, session.identity_map.all_states())
        others = (one for one in waiting if one is not state and criteria_in(one.load_options) == criteria)
        states = [state, *_first(AT_ONCE - 1, others)]
        if len(states) == 1:
            return
        with untracked(), _unless_unreadable():
            self._set(states, self.found(session, {state.dict[self.member] for state in states}, criteria))

    def _can_load(self, state: InstanceState[Any]) -> bool:
        prop, values = self.prop, state.dict
        return (
            state.manager in self.near
            and prop.key not in values
            and values.get(self.member) is not None
            and leaves_alone(state, prop)
        )

    def found(self, session: Session, values: Iterable[Any], criteria: Criteria) -> Mapping[Any, Iterable[Any]]:
        """Return the far objects by the values that the near ones have, each once and in order, as far as they meet
        the criteria that the near ones were loaded with."""
        wanted = set(values)
        found: dict[Any, dict[Any, None]] = defaultdict(dict)
        if self.by_key:
            for value in list(wanted):
                known = session.identity_map.get(session.identity_key(self.prop.mapper.class_, value))
                if isinstance(known, self.prop.mapper.class_) and not instance_state(known).expired:
                    found[value][known] = None
                    wanted.discard(value)
        if wanted:
            far = self.prop.mapper.class_
            statement = _for_end(self.ask(sorted(wanted), far, far), self.prop).options(*criteria)
            for value, obj in session.execute(statement, execution_options={UNTRACKED: BATCH_LOAD}).unique():
                found[value][obj] = None
        return found

    def rows(self, session: Session, values: Iterable[Any], far: SingleRowClass) -> Result[Any]:
        """Return the rows of the far objects, each with the value that the near ones have before it, in order."""
        return session.connection().execute(self.ask(sorted(values), far.table, *far.columns))

    def _set(self, states: Iterable[InstanceState[Any]], found: Mapping[Any, Iterable[Any]]) -> None:
        prop = self.prop
        for state in states:
            obj = state.obj()
            objects = list(found.get(state.dict[self.member], ()))
            if obj is None or prop.key in state.dict:
                continue
            if prop.uselist:
                set_committed_value(obj, prop.key, objects)
            elif len(objects) < 2:  # of more than one, SQLAlchemy warns
                set_committed_value(obj, prop.key, objects[0] if objects else None)


@contextmanager
def _unless_unreadable() -> Iterator[None]:
    """Leave it to SQLAlchemy where a row can't be read: it may be that of another object. What the database itself has
    refused is told, since it refuses all that follows."""
    try:
        with CONTAINED:
            yield
    except Exception as error:
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) is not None:
            raise


def batch_loader_of(prop: RelationshipProperty[Any], watches: TrackedTables) -> BatchLoader | None:
    """How an end is loaded for many objects at once; None if it is not plain."""
    if prop.lazy not in PLAIN or not prop.entity.is_mapper:
        return None
    return _direct(prop, watches) if prop.secondary is None else _by_link(prop, watches)


def _direct(prop: RelationshipProperty[Any], watches: TrackedTables) -> BatchLoader | None:
    pair = _pair(prop.primaryjoin, watches)
    if pair is None:
        return None
    local, remote = pair
    far = prop.mapper
    root = as_inherited(far, remote)

    def ask(values: Sequence[Any], place: Any, *columns: Any) -> Select[Any]:
        return select(remote, *columns).where(remote.in_(values)).order_by(*(prop.order_by or ()))

    return _siblings(prop, local, ask, by_key=far.primary_key == (root,) and not prop.uselist)


def _by_link(prop: RelationshipProperty[Any], watches: TrackedTables) -> BatchLoader | None:
    assert prop.secondaryjoin is not None
    near, far_pair = _pair(prop.primaryjoin, watches), _pair(prop.secondaryjoin, watches)
    link = prop.secondary
    if near is None or far_pair is None or not isinstance(link, Table):
        return None
    local, remote = near
    far = far_pair[0] if far_pair[1].table is link else far_pair[1]
    on = far_pair[1] if far is far_pair[0] else far_pair[0]

    def ask(values: Sequence[Any], place: Any, *columns: Any) -> Select[Any]:
        found = select(remote, *columns).join_from(place, link, far == on)
        return found.where(remote.in_(values)).order_by(*(prop.order_by or ()))

    return _siblings(prop, local, ask, by_key=False)


def _siblings(prop: RelationshipProperty[Any], local: Column[Any], ask: Ask, by_key: bool) -> BatchLoader | None:
    if not prop.parent.c.contains_column(local):
        return None
    near = frozenset(mapper.class_manager for mapper in prop.parent.self_and_descendants)
    member = prop.parent.get_property_by_column(local).key
    return BatchLoader(prop, near, member, ask, by_key, single_row_class(prop.mapper))


def _pair(condition: Any, watches: TrackedTables) -> tuple[Column[Any], Column[Any]] | None:
    """The near and the remote column of a condition that is nothing but their being equal; None if it is more, or if
    values that SQL holds for equal could be unequal in Python."""
    pair = equal_columns(condition)
    if pair is None:
        return None
    columns = [_plain(column) for column in pair]
    local, remote = columns if "remote" in pair[1]._annotations else reversed(columns)
    if local is None or remote is None or not _is_same_in_python(local, remote, watches):
        return None
    return local, remote


def _is_same_in_python(local: Column[Any], remote: Column[Any], watches: TrackedTables) -> bool:
    """Whether values are equal in Python if the database holds them for equal. The model may not know that a column
    compares without regard to case, or to blanks."""
    near, far = watches.of(local.table), watches.of(remote.table)
    if near is None or far is None:
        return False
    form = near.forms.get(local.name)
    return is_linked(form, far.forms.get(remote.name)) and form is not None and not form.ignores_blanks


def _plain(column: Any) -> Column[Any] | None:
    found = column.table.columns.get(column.key) if isinstance(column.table, Table) else None
    kind = None if found is None else found.type
    is_text = type(kind) is String or (isinstance(kind, String) and not isinstance(kind, CHAR))
    exact = isinstance(kind, Integer | Uuid) or (is_text and getattr(kind, "collation", None) is None)
    return found if exact else None


def leaves_alone(state: InstanceState[Any], prop: Any) -> bool:
    """Whether nothing that an object was loaded with says how this member of it is to be loaded."""
    return prop.key not in state.callables and all(_says_nothing(option, prop) for option in state.load_options)


def _for_end(statement: Select[Any], prop: RelationshipProperty[Any]) -> Select[Any]:
    """Mark a statement as one that loads an end, so that who listens takes it for that."""
    path: Any = prop.parent._path_registry
    options: Any = Query._compile_options
    return statement._set_compile_options(options + {"_current_path": path[prop]})


def _says_nothing(option: Any, prop: Any) -> bool:
    if isinstance(option, LoaderCriteriaOption):
        return True  # all that are loaded together meet the same criteria
    if type(option) is not Load:
        return False
    return all(
        prop not in element.path.path and not any(isinstance(step, str) for step in element.path.path)
        for element in option.context
    )


def _first(count: int, states: Iterable[InstanceState[Any]]) -> Iterator[InstanceState[Any]]:
    for _, state in zip(range(count), states, strict=False):
        yield state
