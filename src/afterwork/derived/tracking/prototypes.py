"""What is loaded once for all roots of a batch, of which each gets objects of its own.

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

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ClassManager, InstanceState, Mapper, RelationshipProperty, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.derived.tracking.batch_loading import AT_ONCE, BatchLoader, leaves_alone
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.loader_criteria import Criteria, criteria_in
from afterwork.derived.tracking.prototype import Identity, LoadState, Prototype, are_immutable
from afterwork.derived.tracking.relationships import ASKED_BY_THEMSELVES, objects_in
from afterwork.derived.tracking.single_row_class import SingleRowClass, has_distinct_keys, has_only_own_listeners

Key = tuple[Any, ...]

AT_A_TIME = 100
"""So many rows become objects at a time: thousands together would be looked at again and again by Python's garbage
collection before they are gone."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The objects of a batch as they were loaded. `session` loads them, and keeps none."""

    session: Session
    batch_loader_of: Callable[[RelationshipProperty[Any]], BatchLoader | None]
    memory: dict[Any, Any] = field(default_factory=dict)
    _known: dict[type, dict[Identity, Prototype]] = field(default_factory=lambda: defaultdict(dict))
    _by_class: dict[ClassManager[Any], list[Prototype]] = field(default_factory=lambda: defaultdict(list))
    _missing: set[Key] = field(default_factory=set)

    def load(self, load: Callable[[Session], Iterable[object]]) -> bool:
        """Load objects by way of the session. Returns whether that could be done for all."""
        with self._loading() as session:
            for obj in load(session):
                self._original(obj)
            session.expunge_all()
            return True
        return False

    def values(self, manager: ClassManager[Any], members: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of these members of all objects of a class, as far as they have been loaded."""
        for one in self._by_class.get(manager, ()):
            if all(name in one.values for name in members):
                yield tuple(one.values[name] for name in members)

    def give(self, key: Key, session: Session) -> object | None:
        """Return a session's object with a key, as if it had been loaded there; None if it has not been loaded."""
        original = self._known[key[0]].get(key[1])
        return None if original is None else original.copy_into(session)

    def find(self, mapper: Mapper[Any], identity: Sequence[Any], session: Session) -> object | None:
        """Return the object with a primary key, loaded for the whole batch; None if it can't be had so."""
        key = mapper.identity_key_from_primary_key(tuple(identity))
        if key in session.identity_map or key in self._missing or not has_only_own_listeners(self.session):
            return None  # who listens may hide from one what another has found
        if key[1] not in self._known[key[0]]:
            self.load(lambda by: filter(None, [by.get(mapper.class_, tuple(identity))]))
        found = self.give(key, session)
        if found is None:
            self._missing.add(key)
        return found if isinstance(found, mapper.class_) else None

    def give_member(self, state: InstanceState[Any], key: str) -> None:
        """Give an object a member that was not loaded with it, if that can be had for all."""
        original = self._of(state, state.mapper.attrs[key])
        if original is None:
            return
        if not original.has(key):
            with self._loading() as session:
                values = self._asked(original, key, session)
                if key in values:
                    original.values[key] = values[key]
                    original.set_apart()
                session.expunge_all()
        if original.has(key):
            set_committed_value(state.obj(), key, original.value(key))

    def give_relationship(self, state: InstanceState[Any], key: str) -> None:
        """Give an object an association end that was not loaded with it, if that can be had for all."""
        prop = state.mapper.relationships[key]
        original = None if prop.lazy in ASKED_BY_THEMSELVES else self._of(state, prop)
        if original is None:
            return
        if key not in (original.relationships or ()):
            with self._loading() as session:
                self._load_end(original, prop, session)
                session.expunge_all()
        far, own = (original.relationships or {}).get(key), state.session
        if far is not None and own is not None:
            there = [one.copy_into(own) for one in far]
            set_committed_value(state.obj(), key, there if prop.uselist else next(iter(there), None))

    def _of(self, state: InstanceState[Any], prop: Any) -> Prototype | None:
        """The original of an object, unless this member of it is to be loaded in a way of its own."""
        if state.expired or state.key is None or not leaves_alone(state, prop):
            return None
        original = self._known[state.key[0]].get(state.key[1])
        if original is not None and criteria_in(original.load_state.options) != criteria_in(state.load_options):
            return None
        return original

    def _load_end(self, original: Prototype, prop: RelationshipProperty[Any], session: Session) -> None:
        siblings = self.batch_loader_of(prop)
        if siblings is not None and original.values.get(siblings.member) is not None:
            self._load_for_all(original, siblings, session)
        if prop.key not in (original.relationships or ()):
            values = self._asked(original, prop.key, session)
            if prop.key in values:
                self._keep_end(original, prop.key, objects_in(values[prop.key]))

    def _load_for_all(self, original: Prototype, siblings: BatchLoader, session: Session) -> None:
        key, member, criteria = siblings.prop.key, siblings.member, criteria_in(original.load_state.options)
        others = chain.from_iterable(self._by_class.get(manager, ()) for manager in siblings.near)
        waiting = (
            one
            for one in others
            if one is not original
            and key not in (one.relationships or ())
            and one.values.get(member) is not None
            and criteria_in(one.load_state.options) == criteria
        )
        near = [original, *islice(waiting, AT_ONCE - 1)]
        wanted = {one.values[member] for one in near}
        found: dict[Any, Sequence[Prototype]] = self._known_by_key(siblings, wanted)
        found.update(self._found(siblings, wanted - found.keys(), criteria, session))
        for one in near:
            far = found.get(one.values[member], ())
            if siblings.prop.uselist or len(far) < 2:  # of more than one, SQLAlchemy warns
                one.relationships = one.relationships or {}
                one.relationships[key] = far

    def _known_by_key(self, siblings: BatchLoader, wanted: Iterable[Any]) -> dict[Any, Sequence[Prototype]]:
        if not siblings.by_key or not has_only_own_listeners(self.session):
            return {}
        far = siblings.prop.mapper
        of_class = self._known[far.base_mapper.class_]
        known = ((value, of_class.get((value,))) for value in wanted)
        return {value: [one] for value, one in known if one is not None and issubclass(one.manager.class_, far.class_)}

    def _found(
        self, siblings: BatchLoader, wanted: Collection[Any], criteria: Criteria, session: Session
    ) -> Mapping[Any, Sequence[Prototype]]:
        """Load the far objects by the values that the near ones have."""
        if not wanted:
            return {}
        if siblings.far is not None and not criteria and has_only_own_listeners(session):
            return self._found_as_rows(siblings, wanted, siblings.far, session)
        found = siblings.found(session, wanted, criteria)
        return {value: [self._original(obj) for obj in objects] for value, objects in found.items()}

    def _found_as_rows(
        self, siblings: BatchLoader, wanted: Collection[Any], far: SingleRowClass, session: Session
    ) -> Mapping[Any, Sequence[Prototype]]:
        found: dict[Any, dict[Prototype, None]] = defaultdict(dict)
        for rows in siblings.rows(session, wanted, far).partitions(AT_A_TIME):
            for row, original in zip(rows, self._of_rows(far, [row[1:] for row in rows]), strict=True):
                found[row[0]][original] = None
        return {value: list(originals) for value, originals in found.items()}

    def _of_rows(self, plain: SingleRowClass, rows: Sequence[Sequence[Any]]) -> Iterator[Prototype]:
        """Yield the object that each row is."""
        manager, base = plain.manager, plain.manager.mapper.base_mapper.class_
        known, of_class = self._known[base], self._by_class[manager]
        are_shared = are_immutable(chain.from_iterable(rows))
        for identity, values in plain.read(rows):
            original = known.get(identity)
            if original is None:
                original = known[identity] = Prototype(manager, base, identity, values)
                of_class.append(original)
                if not are_shared:
                    original.set_apart()
            yield original

    def _asked(self, original: Prototype, key: str, session: Session) -> Mapping[str, Any]:
        """Have SQLAlchemy itself load a member of one object. Returns the values that the object has then."""
        obj = original.copy_into(session)
        state = instance_state(obj)
        state.manager[key].impl.get(state, state.dict)
        return state.dict

    @contextmanager
    def _loading(self) -> Iterator[Session]:
        """Load for all. What can't be loaded so, because of a row that another root has to do with, each root loads for
        itself."""
        try:
            with untracked():
                yield self.session
        except Exception as error:
            self.session.expunge_all()
            if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) is not None:
                raise  # the database has refused, and may refuse all that follows

    def _original(self, obj: object) -> Prototype:
        state = instance_state(obj)
        base, identity, _ = cast(Key, state.key)
        known = self._known[base].get(identity)
        if known is not None:
            return known
        if not has_distinct_keys(state.mapper):
            raise ValueError(f"{base.__name__} may have two objects with keys that are one to Python")
        # Who listens to loading may have changed something.
        before, columns, ends = state.committed_state, state.mapper.column_attrs, state.mapper.relationships
        values = {name: before.get(name, value) for name, value in state.dict.items() if name in columns}
        way = LoadState(frozenset(state.expired_attributes), state.load_options, state.load_path)
        made = self._known[base][identity] = Prototype(state.manager, base, identity, values, load_state=way)
        made.set_apart()
        self._by_class[state.manager].append(made)
        for name, value in state.dict.items():
            if name in ends:
                self._keep_end(made, name, objects_in(value))
        return made

    def _keep_end(self, original: Prototype, key: str, objects: Iterable[object]) -> None:
        original.relationships = original.relationships or {}
        original.relationships[key] = [self._original(obj) for obj in objects]
