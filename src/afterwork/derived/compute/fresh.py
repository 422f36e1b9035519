"""`aw.fresh` and `aw.is_stale`: values that are right as of now, whatever the server has not come to yet."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Executable, select
from sqlalchemy.orm import InstanceState, Mapper, QueryableAttribute, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.clock import SystemClock
from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.result_check import checked
from afterwork.derived.compute.result_column import ResultColumn
from afterwork.derived.manifest.manifest_store import is_own_write
from afterwork.derived.manifest.read_pattern import RowRead, pattern_number, row_number
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.derived.tracking.hidden_state import recording_to
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.errors import BadRequest, CircularCaches, OtherThread
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import external_id
from afterwork.model.inspection import inspect_model
from afterwork.saving.later import session as session_of
from afterwork.settings import Settings
from afterwork.store.dialects import database_of
from afterwork.store.journal.change import Change


def is_stale(obj: object, name: str) -> bool:
    """Whether a calculated member of an object, or a view model that is a cache, is not right as of now: something that
    it read has changed, also by way of others, or it has never run. In the transaction of the object's session, which
    is flushed before.

    Raises `BadRequest` if the object has no such cache, `NoSession` if it is in no session.
    """
    looking, derivation = _looking(obj, name)
    return looking.is_stale(derivation, external_id(obj))


def fresh(obj: object, name: str) -> Any:
    """The value of a calculated member that is right as of now: the stored one if it is, else one that is calculated
    here, with all stale values that it is made of. It is not stored; that is the server's. In the transaction of the
    object's session, which is flushed before.

    Raises `BadRequest` if the object has no such member, `NoSession` if it is in no session, `CircularCaches` if it is
    made of itself, `BadValue` if it can't be stored, and what the calculation raises.
    """
    looking, derivation = _looking(obj, name)
    if not isinstance(derivation.declaration, MemberDerivation):
        raise BadRequest(f"{name} is a view model, which has no value. Ask aw.is_stale, or run it with aw.later.")
    instrument(instance_state(obj).mapper.registry.mappers)
    with Session(looking.connection, autoflush=False) as session:
        twin = session.get_one(type(obj), instance_state(obj).identity)
        with recording_to(_Freshening(looking)):
            return getattr(twin, derivation.declaration.member)


def _looking(obj: object, name: str) -> "tuple[_Looking, RegisteredDerivation]":
    session = session_of(obj)
    session.flush()
    connection = session.connection()
    model = inspect_model(instance_state(obj).mapper.registry)
    cache = model.derivation_of(obj, name)
    matcher = matcher_of(database_of(connection.engine, Settings()), model, connection)
    looking = _Looking(connection, matcher)
    return looking, matcher.registry.of(cache)


@dataclass
class _Looking:
    """What one question needs to know, each asked once."""

    connection: Connection
    matcher: Matcher
    _known: dict[int, bool] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _going_on: list[str] = field(default_factory=list)

    def calculated(self, derivation: RegisteredDerivation, cache: MemberDerivation, obj: object) -> Any:
        """Return what a stale member is as of now. It is calculated in a session of its own, as always, so that it
        finds nothing on its objects that others have left there."""
        name = f"{derivation.name} of {external_id(obj)}"
        if name in self._going_on:
            raise CircularCaches([*self._going_on[self._going_on.index(name) :], name])
        if name not in self._values:
            self._going_on.append(name)
            with Session(self.connection, autoflush=False) as session, recording_to(_Freshening(self)):
                twin = session.get_one(type(obj), instance_state(obj).identity)
                value = getattr(twin, cache.derived.name)()
            self._values[name] = self._as_stored(derivation, cache, value)
            self._going_on.pop()
        return self._values[name]

    def _as_stored(self, derivation: RegisteredDerivation, cache: MemberDerivation, value: Any) -> Any:
        """Return what would be read of a result if it were stored: what is made of it is made of that."""
        fit = checked(cache.column, cache.name, value)
        if derivation.target is None:
            return fit
        column = ResultColumn(self.matcher.database, derivation.target.table, cache.column, derivation.name)
        return column.come_back(self.connection, fit)

    def is_stale(self, derivation: RegisteredDerivation, root: str) -> bool:
        numbers = self.matcher.cache_rows.numbers(self.connection, derivation, [root])
        return root not in numbers or self._is_stale(numbers[root])

    def _is_stale(self, number: int) -> bool:
        if number not in self._known:
            self._known[number] = False  # in a circle, the others decide
            self._known[number] = self._is_due(number) or self._is_touched(number) or self._has_stale_feeder(number)
        return self._known[number]

    def _is_due(self, number: int) -> bool:
        since = select(dues.c.cache).where(dues.c.cache == number, dues.c.since.is_not(None))
        never = select(caches.c.id).where(caches.c.id == number, caches.c.computed.is_(None))
        return self.connection.execute(since.union_all(never)).first() is not None

    def _is_touched(self, number: int) -> bool:
        tokens = self._tokens(number)
        return not self._touched.isdisjoint(tokens) or self._is_overwritten(number, tokens)

    def _is_overwritten(self, number: int, tokens: set[int]) -> bool:
        """Whether somebody else has written the value."""
        by = [tx for tx, some in self._overwritten if not tokens.isdisjoint(some)]
        if not by:
            return False
        wrote = self.connection.execute(select(caches.c.wrote).where(caches.c.id == number)).scalar()
        return not all(is_own_write(tx, wrote, self.matcher.dialect.name) for tx in by)

    def _has_stale_feeder(self, number: int) -> bool:
        return any(self.is_stale(derivation, root) for derivation, root in self._feeders(number))

    @cached_property
    def _touched(self) -> set[int]:
        """What was changed and not matched yet."""
        return {token for change in self._waiting for token in self.matcher.patterns.touched_keys(change)}

    @cached_property
    def _overwritten(self) -> list[tuple[int, list[int]]]:
        """The values that were written and not matched yet, each time by which transaction."""
        return [(change.tx, self.matcher.patterns.overwritten_keys(change)) for change in self._waiting]

    @cached_property
    def _waiting(self) -> Sequence[Change]:
        return self.matcher.entries.waiting(self.connection)

    def _tokens(self, number: int) -> set[int]:
        return set(self.matcher.manifest_store.read_keys(self.connection, [number]).get(number, ()))

    def _feeders(self, number: int) -> Iterator[tuple[RegisteredDerivation, str]]:
        """The caches that write what a cache has read."""
        for token in self._tokens(number):
            shape, key = self.matcher.patterns.pattern(pattern_number(token)), row_number(token)
            if isinstance(shape, RowRead) and key is not None:
                for derivation in self.matcher.registry.writing(shape.table_id, shape.columns):
                    for root in derivation.roots_of([key], self.matcher.dialect)[0]:
                        yield derivation, root


class _Freshening:
    """Has stale members calculated at the moment in which they are read."""

    def __init__(self, looking: _Looking) -> None:
        self.states_by_attribute: dict[int, set[InstanceState[Any]]] = {}
        self.tracked_handles: Collection[object] = ()
        self._looking = looking

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        for derivation in self._looking.matcher.registry:
            cache = derivation.declaration
            if not isinstance(cache, MemberDerivation) or cache.member != attribute.key:
                continue
            if issubclass(attribute.parent.mapper.class_, cache.root.class_):
                return self.states_by_attribute.setdefault(
                    id(attribute), _Calculating(self._looking, derivation, cache)
                )
        return set()

    def find_loaded(self, mapper: Mapper[Any], identity: object) -> object | None:
        return None

    def before_member_load(self, state: InstanceState[Any], key: str) -> None: ...
    def before_relationship_read(self, state: InstanceState[Any], key: str) -> None: ...
    def relationship_read(self, state: InstanceState[Any], key: str, value: Any) -> None: ...
    def relationship_failed(self, state: InstanceState[Any], key: str) -> None: ...
    def looked_up(self, mapper: Mapper[Any], identity: object, found: object | None) -> None: ...
    def before_statement(
        self, statement: Executable, parameters: Any, connection: Connection, *, entities: bool = True
    ) -> None: ...
    def depends_on(self, thing: object) -> None: ...
    def refused_elsewhere(self, error: OtherThread) -> None: ...
    def has_passed(self, moment: datetime) -> bool:
        return moment <= SystemClock().now()


class _Calculating(set[InstanceState[Any]]):
    """The objects of which a calculated member was read, each right by now."""

    def __init__(self, looking: _Looking, derivation: RegisteredDerivation, cache: MemberDerivation) -> None:
        super().__init__()
        self._looking, self._definition, self._cache = looking, derivation, cache

    def __bool__(self) -> bool:
        return True

    def add(self, state: InstanceState[Any]) -> None:
        obj = state.obj()
        if state in self or obj is None:
            return
        if self._looking.is_stale(self._definition, external_id(obj)):
            set_committed_value(obj, self._cache.member, self._looking.calculated(self._definition, self._cache, obj))
        super().add(state)
