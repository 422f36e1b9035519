"""Data that is loaded once for all roots of a batch, each of which gets objects of its own.

Whatever a calculation leaves on an object (a cached property, an attribute, a collection that is narrower than all) is
gone with its session, so the next one finds every object as the database has it. Only what was loaded is shared, as
plain values, which no calculation ever sees.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, cast

from sqlalchemy.orm import ClassManager, InstanceState, Mapper, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.compat.sqlalchemy_errors import is_refusal
from afterwork.compat.sqlalchemy_objects import load_member, loaded_values, objects_in
from afterwork.derived.tracking.batch_loading import BatchLoader, is_loaded_by_default
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.link_rows import MAX_OBJECTS_PER_QUERY
from afterwork.derived.tracking.loader_criteria import criteria_in
from afterwork.derived.tracking.prototype import LoadState, Prototype, are_immutable
from afterwork.derived.tracking.relationship_reads import QUERYING_LOADERS
from afterwork.derived.tracking.single_row_class import SingleRowClass, has_distinct_keys, has_only_own_listeners
from afterwork.model.key import PrimaryKey

ROWS_PER_PARTITION = 100
"""Rows that become prototypes at a time. The garbage collector would look at thousands of rows again and again before
they are gone."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The prototypes of a batch. `session` loads them, and keeps none of the objects."""

    session: Session
    batch_loader_of: Callable[[RelationshipProperty[Any]], BatchLoader | None]
    link_rows: dict[Any, Any] = field(default_factory=dict)
    _known: dict[type, dict[PrimaryKey, Prototype]] = field(default_factory=lambda: defaultdict(dict))
    _by_class: dict[ClassManager[Any], list[Prototype]] = field(default_factory=lambda: defaultdict(list))
    _missing: set[PrimaryKey] = field(default_factory=set)

    def load(self, load: Callable[[Session], Iterable[object]]) -> bool:
        """Load objects by the batch's session. Return whether that succeeded for all."""
        with self._loading() as session:
            for obj in load(session):
                self._prototype(obj)
            session.expunge_all()
            return True
        return False

    def values(self, manager: ClassManager[Any], members: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of these members, for each object of a class that has them loaded."""
        for prototype in self._by_class.get(manager, ()):
            if all(name in prototype.values for name in members):
                yield tuple(prototype.values[name] for name in members)

    def give(self, key: PrimaryKey, session: Session) -> object | None:
        """Return a session's object with a key, as if loaded there; None if the batch has not loaded it."""
        prototype = self._known[key[0]].get(key[1])
        return None if prototype is None else prototype.copy_into(session)

    def find(self, mapper: Mapper[Any], identity: Sequence[Any], session: Session) -> object | None:
        """Return the object with a primary key, loaded for the whole batch; None if that is impossible."""
        key = mapper.identity_key_from_primary_key(tuple(identity))
        if key in session.identity_map or key in self._missing or not has_only_own_listeners(self.session):
            return None  # a listener may hide from one root what another has found
        if key[1] not in self._known[key[0]]:
            self.load(lambda by: filter(None, [by.get(mapper.class_, tuple(identity))]))
        obj = self.give(key, session)
        if obj is None:
            self._missing.add(key)
        return obj if isinstance(obj, mapper.class_) else None

    def give_member(self, state: InstanceState[Any], key: str) -> None:
        """Give an object a member that was not loaded with it, if it can be loaded for the batch."""
        prototype = self._prototype_of(state, state.mapper.attrs[key])
        if prototype is None:
            return
        if not prototype.has(key):
            with self._loading() as session:
                values = self._load_lazily(prototype, key, session)
                if key in values:
                    prototype.values[key] = values[key]
                    prototype.separate_mutable()
                session.expunge_all()
        if prototype.has(key):
            set_committed_value(state.obj(), key, prototype.value(key))

    def give_relationship(self, state: InstanceState[Any], key: str) -> None:
        """Give an object a relationship that was not loaded with it, if it can be loaded for the batch."""
        prop = state.mapper.relationships[key]
        prototype = None if prop.lazy in QUERYING_LOADERS else self._prototype_of(state, prop)
        if prototype is None:
            return
        if prototype.related(key) is None:
            with self._loading() as session:
                self._load_relationship(prototype, prop, session)
                session.expunge_all()
        remote, own_session = prototype.related(key), state.session
        if remote is not None and own_session is not None:
            objects = [prototype.copy_into(own_session) for prototype in remote]
            set_committed_value(state.obj(), key, objects if prop.uselist else next(iter(objects), None))

    def _prototype_of(self, state: InstanceState[Any], prop: Any) -> Prototype | None:
        """Return the prototype of an object, unless this member of it must be loaded in a special way."""
        if state.expired or state.key is None or not is_loaded_by_default(state, prop):
            return None
        prototype = self._known[state.key[0]].get(state.key[1])
        if prototype is not None and criteria_in(prototype.load_state.options) != criteria_in(state.load_options):
            return None
        return prototype

    # Loading relationships.

    def _load_relationship(self, prototype: Prototype, prop: RelationshipProperty[Any], session: Session) -> None:
        loader = self.batch_loader_of(prop)
        if loader is not None and prototype.values.get(loader.member) is not None:
            self._load_for_batch(prototype, loader, session)
        if prototype.related(prop.key) is None:
            values = self._load_lazily(prototype, prop.key, session)
            if prop.key in values:
                self._keep_relationship(prototype, prop.key, objects_in(values[prop.key]))

    def _load_for_batch(self, prototype: Prototype, loader: BatchLoader, session: Session) -> None:
        key, member = loader.prop.key, loader.member
        local = [prototype, *islice(self._waiting_with(prototype, loader), MAX_OBJECTS_PER_QUERY - 1)]
        wanted = {row.values[member] for row in local}
        remote: dict[Any, Sequence[Prototype]] = self._known_by_key(loader, wanted)
        remote.update(self._load_remote(loader, wanted - remote.keys(), prototype, session))
        for row in local:
            related = remote.get(row.values[member], ())
            if loader.prop.uselist or len(related) < 2:  # of more than one, SQLAlchemy warns
                row.relate(key, related)

    def _waiting_with(self, prototype: Prototype, loader: BatchLoader) -> Iterator[Prototype]:
        """Yield the other prototypes whose relationship can be loaded by the same query."""
        criteria = criteria_in(prototype.load_state.options)
        for other in chain.from_iterable(self._by_class.get(manager, ()) for manager in loader.local):
            if (
                other is not prototype
                and other.related(loader.prop.key) is None
                and other.values.get(loader.member) is not None
                and criteria_in(other.load_state.options) == criteria
            ):
                yield other

    def _known_by_key(self, loader: BatchLoader, wanted: Iterable[Any]) -> dict[Any, Sequence[Prototype]]:
        if not loader.by_key or not has_only_own_listeners(self.session):
            return {}
        remote = loader.prop.mapper
        of_class = self._known[remote.base_mapper.class_]
        known = ((value, of_class.get((value,))) for value in wanted)
        return {
            value: [prototype]
            for value, prototype in known
            if prototype is not None and issubclass(prototype.manager.class_, remote.class_)
        }

    def _load_remote(
        self, loader: BatchLoader, wanted: Collection[Any], prototype: Prototype, session: Session
    ) -> Mapping[Any, Sequence[Prototype]]:
        """Load the remote objects by the local values, with the criteria of the local prototype."""
        criteria = criteria_in(prototype.load_state.options)
        if not wanted:
            return {}
        if loader.remote_rows is not None and not criteria and has_only_own_listeners(session):
            return self._load_as_rows(loader, wanted, loader.remote_rows, session)
        by_value = loader.load_objects(session, wanted, criteria)
        return {value: [self._prototype(obj) for obj in objects] for value, objects in by_value.items()}

    def _load_as_rows(
        self, loader: BatchLoader, wanted: Collection[Any], remote: SingleRowClass, session: Session
    ) -> Mapping[Any, Sequence[Prototype]]:
        by_value: dict[Any, dict[Prototype, None]] = defaultdict(dict)
        for rows in loader.load_rows(session, wanted, remote).partitions(ROWS_PER_PARTITION):
            prototypes = self._prototypes_of_rows(remote, [row[1:] for row in rows])
            for row, prototype in zip(rows, prototypes, strict=True):
                by_value[row[0]][prototype] = None
        return {value: list(prototypes) for value, prototypes in by_value.items()}

    def _load_lazily(self, prototype: Prototype, key: str, session: Session) -> Mapping[str, Any]:
        """Load a member of one object in SQLAlchemy's own way. Return the values that the object has then."""
        obj = prototype.copy_into(session)
        state = instance_state(obj)
        load_member(state, key)
        return state.dict

    @contextmanager
    def _loading(self) -> Iterator[Session]:
        """Load for the batch. If that fails, because of a row that another root needs, each root loads for itself."""
        try:
            with untracked():
                yield self.session
        except Exception as error:
            self.session.expunge_all()
            if is_refusal(error):
                raise  # the database has refused, and may refuse all that follows

    # Making prototypes.

    def _prototypes_of_rows(self, cls: SingleRowClass, rows: Sequence[Sequence[Any]]) -> Iterator[Prototype]:
        manager, base = cls.manager, cls.manager.mapper.base_mapper.class_
        known, of_class = self._known[base], self._by_class[manager]
        can_share_all = are_immutable(chain.from_iterable(rows))
        for identity, values in cls.read(rows):
            prototype = known.get(identity)
            if prototype is None:
                prototype = known[identity] = Prototype(manager, base, identity, values)
                of_class.append(prototype)
                if not can_share_all:
                    prototype.separate_mutable()
            yield prototype

    def _prototype(self, obj: object) -> Prototype:
        """Return the prototype of an object that the batch's session has loaded."""
        state = instance_state(obj)
        base, identity, _ = cast(PrimaryKey, state.key)
        known = self._known[base].get(identity)
        if known is not None:
            return known
        if not has_distinct_keys(state.mapper):
            raise ValueError(f"{base.__name__} may have two objects with keys that are one to Python")
        values = loaded_values(state)
        load_state = LoadState(frozenset(state.expired_attributes), state.load_options, state.load_path)
        made = self._known[base][identity] = Prototype(state.manager, base, identity, values, load_state=load_state)
        made.separate_mutable()
        self._by_class[state.manager].append(made)
        for name, value in state.dict.items():
            if name in state.mapper.relationships:
                self._keep_relationship(made, name, objects_in(value))
        return made

    def _keep_relationship(self, prototype: Prototype, key: str, objects: Iterable[object]) -> None:
        prototype.relate(key, [self._prototype(obj) for obj in objects])
