"""Recording what a job reads, while it runs."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Executable, select
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute, Session
from sqlalchemy.orm.attributes import instance_state

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.explicit_dependencies import name_dependency
from afterwork.derived.tracking.hidden_state import listening
from afterwork.derived.tracking.link_rows import BATCH
from afterwork.derived.tracking.load_failures import end_not_loaded, not_loaded
from afterwork.derived.tracking.loader_criteria import asked_of_end
from afterwork.derived.tracking.mapped_tables import TrackedColumns
from afterwork.derived.tracking.member_dependencies import MemberDependencies
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.relationships import ASKED_BY_THEMSELVES, identity_of
from afterwork.derived.tracking.session_hooks import attach
from afterwork.errors import OtherThread, ReadsItself
from afterwork.store.journal.tracked_table import TrackedTable


class OnStatement(Protocol):
    """Adds what a statement reads to `reads`."""

    def __call__(
        self, statement: Executable, parameters: Any, connection: Connection, reads: Reads, *, entities: bool
    ) -> None: ...


class Recorder:
    """Remembers what is read while `recording()`. Reads of members are only put down as they happen, and worked out by
    `reads()`. `own`: the identity of an object and the name of its member that is being calculated, which must not be
    read. `originals`: where what is not there yet is loaded for all roots of a batch."""

    def __init__(
        self,
        plans: MemberDependencies,
        session: Session,
        now: datetime,
        on_statement: OnStatement,
        originals: Prototypes | None = None,
    ) -> None:
        self.now = now
        self.result_member: tuple[tuple[Any, ...], str] | None = None
        self.tracked_handles: Collection[object] = ()
        self.states_by_attribute: dict[int, set[InstanceState[Any]]] = {}
        self._plans = plans
        self._session = session
        self._on_statement = on_statement
        self._originals = originals
        if originals is not None:
            setattr(session, BATCH, originals)
        self._missed: OtherThread | None = None
        self._reads = Reads()
        self._attributes: dict[int, QueryableAttribute[Any]] = {}
        self._ends: set[tuple[InstanceState[Any], str]] = set()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is read in the block, by this thread or task, of objects and through the session."""
        self.tracked_handles = attach(self._session)
        with listening(self):
            yield
        if self._missed is not None:
            raise self._missed

    def reads(self) -> Reads:
        """All that was read so far."""
        for keys, states in self._same_states():
            self._work_out(keys, states)
        for states in self.states_by_attribute.values():
            states.clear()
        return self._reads

    def restart(self) -> None:
        """Forget all that was read so far: what comes does not depend on it."""
        for states in self.states_by_attribute.values():
            states.clear()
        self._ends.clear()
        self._reads = Reads()

    def root_not_loaded(self, mapper: Mapper[Any], identity: Sequence[Any]) -> None:
        """Depend on all that may be the reason why an object could not be loaded."""
        not_loaded(self._plans.mapped_tables, self._reads, mapper, identity)

    def has_passed(self, moment: datetime) -> bool:
        """Whether a moment has passed. If not, the result holds no longer than until then."""
        if moment <= self.now:
            return True
        self._reads.limit_until(moment)
        return False

    def depends_on(self, thing: object) -> None:
        """Depend on all that a class, a member of a class, an object or a table is made of."""
        name_dependency(self._plans, self._reads, thing)

    # What is told by attributes and sessions.

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        number, mapper, key = id(attribute), attribute.parent.mapper, attribute.key
        if number not in self.states_by_attribute:
            member = self._plans.member(mapper, key)
            states: set[InstanceState[Any]] = set()
            if self.result_member is not None and self.result_member[1] == key:
                states = _AllBut(self.result_member[0], f"{mapper.class_.__name__}.{key}")
            elif member.asks is not None:
                states = _Asking(partial(self._ask_for, member.asks))
            self._attributes[number], self.states_by_attribute[number] = attribute, states
        return self.states_by_attribute[number]

    def before_member_load(self, state: InstanceState[Any], key: str) -> None:
        if self._originals is not None and state.session is self._session:
            self._originals.give_member(state, key)

    def before_relationship_read(self, state: InstanceState[Any], key: str) -> None:
        if key in state.dict or state.session is None:
            return
        if self._originals is not None and state.session is self._session:
            self._originals.give_relationship(state, key)
        siblings = self._plans.batch_loader(state.mapper.relationships[key])
        if siblings is not None and key not in state.dict:
            siblings.load(state.session, state)

    def find_loaded(self, mapper: Mapper[Any], identity: object) -> object | None:
        if self._originals is None:
            return None
        return self._originals.find(mapper, _parts(mapper, identity), self._session)

    def refused_elsewhere(self, error: OtherThread) -> None:
        self._missed = error

    def relationship_read(self, state: InstanceState[Any], key: str, value: Any) -> None:
        if (state, key) in self._ends:
            return
        end = self._plans.relationship(state.mapper, key)
        self._ends.add((state, key))
        end.record(self._plans.mapped_tables, self._reads, state, value)
        for name in end.near:
            self.states_of(state.manager[name]).add(state)
        if state.load_options and end.prop.lazy not in ASKED_BY_THEMSELVES:
            narrowed = asked_of_end(end.prop, state, end.tables)
            if narrowed is not None:
                self.before_statement(narrowed, {}, self._session.connection())

    def relationship_failed(self, state: InstanceState[Any], key: str) -> None:
        end = self._plans.relationship(state.mapper, key)
        end_not_loaded(self._plans.mapped_tables, self._reads, end, state)

    def looked_up(self, mapper: Mapper[Any], identity: object, found: object | None) -> None:
        parts = _parts(mapper, identity) if found is None else identity_of(instance_state(found))
        self._plans.mapped_tables.add_existence(self._reads, mapper, parts)

    def before_statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None:
        self._on_statement(statement, parameters, connection, self._reads, entities=entities)

    def _same_states(self) -> list[tuple[list[str], set[InstanceState[Any]]]]:
        """The members that were read, those together that were read of the same objects."""
        groups: list[tuple[list[str], set[InstanceState[Any]]]] = []
        for number, states in self.states_by_attribute.items():
            keys = next((keys for keys, others in groups if others == states), None)
            if keys is None:
                groups.append(([self._attributes[number].key], states))
            else:
                keys.append(self._attributes[number].key)
        return groups

    def _work_out(self, keys: list[str], states: set[InstanceState[Any]]) -> None:
        for manager in {state.manager for state in states}:
            some = [state for state in states if state.manager is manager]
            masks: dict[TrackedTable, int] = {}
            for part in (part for key in keys for part in self._plans.member(manager.mapper, key).parts):
                masks[part.table] = masks.get(part.table, 0) | part.mask
            for watch, mask in masks.items():
                self._plans.mapped_tables.add_rows(self._reads, TrackedColumns(watch, mask), manager.mapper, some)

    def _ask_for(self, expression: ColumnElement[Any], state: InstanceState[Any]) -> None:
        keys = zip(state.mapper.primary_key, identity_of(state), strict=True)
        found = select(expression).where(*(column == value for column, value in keys))
        self.before_statement(found, {}, self._session.connection())


class _AllBut(set[InstanceState[Any]]):
    """The objects of which a member is read, which is calculated for one of them."""

    def __init__(self, own: tuple[Any, ...], member: str) -> None:
        super().__init__()
        self.own = own
        self.member = member

    def add(self, state: InstanceState[Any]) -> None:
        if state.key == self.own:
            raise ReadsItself(self.member)
        super().add(state)


class _Asking(set[InstanceState[Any]]):
    """The objects of which a member is read that is a query."""

    def __init__(self, ask: Callable[[InstanceState[Any]], None]) -> None:
        super().__init__()
        self.ask = ask

    def add(self, state: InstanceState[Any]) -> None:
        if state not in self:
            super().add(state)
            self.ask(state)


def _parts(mapper: Mapper[Any], identity: Any) -> tuple[Any, ...]:
    """The parts of a primary key, in each form in which `Session.get` takes one."""
    if hasattr(identity, "__composite_values__"):
        identity = identity.__composite_values__()
    if isinstance(identity, dict):
        properties = [mapper.get_property_by_column(column) for column in mapper.primary_key]
        return tuple(identity.get(prop.key) for prop in properties)
    return tuple(identity) if isinstance(identity, tuple | list) else (identity,)
