"""Recording what a job reads, while it runs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Executable, select
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute, Session
from sqlalchemy.orm.attributes import instance_state

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.explicit_dependencies import add_dependency
from afterwork.derived.tracking.hidden_state import LOAD_BATCH, ReadListener, attach_to_session, recording_to
from afterwork.derived.tracking.load_failures import add_failed_object, add_failed_relationship
from afterwork.derived.tracking.loader_criteria import StatementCriteria, narrowed_relationships
from afterwork.derived.tracking.mapped_tables import TrackedColumns
from afterwork.derived.tracking.mapping_clauses import identity_of
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.relationship_reads import QUERYING_LOADERS, TrackedRelationship
from afterwork.derived.tracking.session_hooks import attach
from afterwork.errors import OtherThread, ReadsItself
from afterwork.store.journal.tracked_table import TrackedTable


class OnStatement(Protocol):
    """Adds what a statement reads to `reads`."""

    def __call__(
        self, statement: Executable, parameters: Any, connection: Connection, reads: Reads, *, entities: bool
    ) -> None: ...


class Recorder(ReadListener):
    """The reads of one job, collected while `recording()`.

    Reads of columns are only noted as they happen, by attribute and object; `reads()` turns them into rows.
    `result_member`: the identity of an object, and the name of its member that is being calculated and must not be
    read.
    `prototypes`: loads missing data for all roots of a batch.
    """

    def __init__(
        self,
        dependencies: MemberDependencies,
        session: Session,
        now: datetime,
        on_statement: OnStatement,
        prototypes: Prototypes | None = None,
    ) -> None:
        self.now = now
        self.result_member: tuple[tuple[Any, ...], str] | None = None
        self.states_by_attribute: dict[int, set[InstanceState[Any]]] = {}
        self._dependencies = dependencies
        self._session = session
        self._on_statement = on_statement
        self._prototypes = prototypes
        if prototypes is not None:
            attach_to_session(session, LOAD_BATCH, prototypes)
        self._refused: OtherThread | None = None
        self._reads = Reads()
        self._criteria = StatementCriteria()
        self._attributes: dict[int, QueryableAttribute[Any]] = {}
        self._relationships: set[tuple[InstanceState[Any], str]] = set()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what this thread or task reads in the block, of objects and through the session."""
        self.tracked_handles = attach(self._session)
        with recording_to(self):
            yield
        if self._refused is not None:
            raise self._refused

    def reads(self) -> Reads:
        for group in self._groups():
            self._add_rows(group)
        for states in self.states_by_attribute.values():
            states.clear()
        return self._reads

    def restart(self) -> None:
        """Forget all reads so far: the result won't depend on them."""
        for states in self.states_by_attribute.values():
            states.clear()
        self._relationships.clear()
        self._reads = Reads()

    def root_not_loaded(self, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Depend on all that may be the reason why an object could not be loaded."""
        add_failed_object(self._dependencies.mapped_tables, self._reads, mapper, identity)

    # What attributes, sessions and the public functions report.

    def has_passed(self, timestamp: datetime) -> bool:
        if timestamp <= self.now:
            return True
        self._reads.limit_until(timestamp)
        return False

    def depends_on(self, thing: object) -> None:
        add_dependency(self._dependencies.mapped_tables, self._reads, thing)

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        number = id(attribute)
        if number not in self.states_by_attribute:
            self._attributes[number], self.states_by_attribute[number] = attribute, self._new_states(attribute)
        return self.states_by_attribute[number]

    def _new_states(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        mapper, key = attribute.parent.mapper, attribute.key
        member = self._dependencies.member(mapper, key)
        if self.result_member is not None and self.result_member[1] == key:
            return _StatesExceptRoot(self.result_member[0], f"{mapper.class_.__name__}.{key}")
        if member.expression is not None:
            return _QueriedStates(partial(self._record_expression, member.expression))
        return set()

    def before_member_load(self, state: InstanceState[Any], key: str) -> None:
        if self._prototypes is not None and state.session is self._session:
            self._prototypes.give_member(state, key)

    def before_relationship_read(self, state: InstanceState[Any], key: str) -> None:
        if key in state.dict or state.session is None:
            return
        if self._prototypes is not None and state.session is self._session:
            self._prototypes.give_relationship(state, key)
        loader = self._dependencies.batch_loader(state.mapper.relationships[key])
        if loader is not None and key not in state.dict:
            loader.load(state.session, state)

    def relationship_read(self, state: InstanceState[Any], key: str, value: Any) -> None:
        if (state, key) in self._relationships:
            return
        relationship = self._dependencies.relationship(state.mapper, key)
        self._relationships.add((state, key))
        relationship.record(self._dependencies.mapped_tables, self._reads, state, value)
        for name in relationship.near:
            self.states_of(state.manager[name]).add(state)
        if (state.load_options or self._criteria) and relationship.prop.lazy not in QUERYING_LOADERS:
            self._record_narrowed(relationship, state)

    def _record_narrowed(self, relationship: TrackedRelationship, state: InstanceState[Any]) -> None:
        for narrowed in narrowed_relationships(relationship.prop, state, relationship.tables, self._criteria):
            self._on_statement(narrowed, {}, self._connection_of(state), self._reads, entities=True)

    def relationship_failed(self, state: InstanceState[Any], key: str) -> None:
        relationship = self._dependencies.relationship(state.mapper, key)
        add_failed_relationship(self._dependencies.mapped_tables, self._reads, relationship, state)

    def find_loaded(self, mapper: Mapper[Any], identity: object) -> object | None:
        if self._prototypes is None:
            return None
        return self._prototypes.find(mapper, _key_parts(mapper, identity), self._session)

    def looked_up(self, mapper: Mapper[Any], identity: object, obj: object | None) -> None:
        parts = _key_parts(mapper, identity) if obj is None else identity_of(instance_state(obj))
        self._dependencies.mapped_tables.add_existence(self._reads, mapper, parts)

    def before_statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None:
        self._criteria.add(statement)
        self._on_statement(statement, parameters, connection, self._reads, entities=entities)

    def refused_elsewhere(self, error: OtherThread) -> None:
        self._refused = error

    # From attributes and objects to rows.

    def _groups(self) -> "list[_MembersRead]":
        """Return the members that were read, grouped by the objects of which they were read."""
        groups: list[_MembersRead] = []
        for number, states in self.states_by_attribute.items():
            key = self._attributes[number].key
            group = next((group for group in groups if group.states == states), None)
            if group is None:
                groups.append(_MembersRead([key], states))
            else:
                group.keys.append(key)
        return groups

    def _add_rows(self, group: "_MembersRead") -> None:
        for manager in {state.manager for state in group.states}:
            of_class = [state for state in group.states if state.manager is manager]
            members = (self._dependencies.member(manager.mapper, key) for key in group.keys)
            masks: dict[TrackedTable, int] = {}
            for part in (part for member in members for part in member.columns):
                masks[part.table] = masks.get(part.table, 0) | part.mask
            for table, mask in masks.items():
                part = TrackedColumns(table, mask)
                self._dependencies.mapped_tables.add_rows(self._reads, part, manager.mapper, of_class)

    def _record_expression(self, expression: ColumnElement[Any], state: InstanceState[Any]) -> None:
        keys = zip(state.mapper.primary_key, identity_of(state), strict=True)
        query = select(expression).where(*(column == value for column, value in keys))
        self.before_statement(query, {}, self._connection_of(state))

    def _connection_of(self, state: InstanceState[Any]) -> Connection:
        return self._session.connection(bind_arguments={"mapper": state.mapper})


@dataclass(frozen=True)
class _MembersRead:
    keys: list[str]
    states: set[InstanceState[Any]]


class _StatesExceptRoot(set[InstanceState[Any]]):
    """The objects of which a member is read that is being calculated for one of them."""

    def __init__(self, root: tuple[Any, ...], member: str) -> None:
        super().__init__()
        self.root = root
        self.member = member

    def add(self, state: InstanceState[Any]) -> None:
        if state.key == self.root:
            raise ReadsItself(self.member)
        super().add(state)


class _QueriedStates(set[InstanceState[Any]]):
    def __init__(self, record: Callable[[InstanceState[Any]], None]) -> None:
        super().__init__()
        self.record = record

    def add(self, state: InstanceState[Any]) -> None:
        if state not in self:
            super().add(state)
            self.record(state)


def _key_parts(mapper: Mapper[Any], identity: Any) -> tuple[Any, ...]:
    """Return the parts of a primary key, in each form in which `Session.get` takes one."""
    if hasattr(identity, "__composite_values__"):
        identity = identity.__composite_values__()
    if isinstance(identity, dict):
        properties = [mapper.get_property_by_column(column) for column in mapper.primary_key]
        return tuple(identity.get(prop.key) for prop in properties)
    return tuple(identity) if isinstance(identity, tuple | list) else (identity,)
