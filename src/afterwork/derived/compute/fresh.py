"""`aw.fresh` and `aw.is_stale`: answers that are right now, whatever the server has still to do."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstanceState, QueryableAttribute, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.clock import SystemClock
from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.result_check import checked
from afterwork.derived.compute.result_column import ResultColumn
from afterwork.derived.manifest.reads import QueryRead, RowRead, pattern_number, row_number, same_row
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.feeders import Feeders
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.hidden_state import ReadListener, recording_to
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.errors import BadRequest, CircularCaches
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import external_id
from afterwork.model.inspection import inspect_model
from afterwork.model.key import is_one_of
from afterwork.saving.later import session as session_of
from afterwork.settings import Settings
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.dialects import database_of, refresh_of
from afterwork.store.journal.refresh import is_any_touched, is_touched

MAX_CACHES_OF_ROW = 100
"""Derived members whose caches may be looked up by the row that they write to."""


def is_stale(obj: object, name: str) -> bool:
    """Return whether a derived member of an object, or a view model that is a cache, is out of date.

    It is if something that it read has changed, also through others, or if it has never run. In doubt it counts as out
    of date: where its queries ask for derived values by more than one column, or by no integer. This is answered in the
    transaction of the object's session, which is flushed before.

    Raises `BadRequest` if the object has no such cache, `NoSession` if it is in no session.
    """
    inquiry, derivation = _inquiry(obj, name)
    return inquiry.is_stale(derivation, external_id(obj))


def fresh(obj: object, name: str) -> Any:
    """Return the value of a derived member that is right now.

    That is the stored one, or if it is stale, one that is calculated here, with all stale values that it is made from.
    Only what a query of the calculation itself reads or compares in SQL is as the database has it. Nothing is stored;
    that is the server's work. This happens in the transaction of the object's session, which is flushed before.

    Raises `BadRequest` if the object has no such member, `NoSession` if it is in no session, `CircularCaches` if it is
    made from itself, `BadValue` if it can't be stored, and what the calculation raises.
    """
    inquiry, derivation = _inquiry(obj, name)
    if not isinstance(derivation.declaration, MemberDerivation):
        raise BadRequest(f"{name} is a view model, which has no value. Ask aw.is_stale, or run it with aw.later.")
    instrument(instance_state(obj).mapper.registry.mappers)
    with Session(inquiry.connection, autoflush=False) as session:
        twin = session.get_one(type(obj), instance_state(obj).identity)
        with recording_to(_Freshening(inquiry)):
            return getattr(twin, derivation.declaration.member)


def _inquiry(obj: object, name: str) -> "tuple[_Inquiry, RegisteredDerivation]":
    session = session_of(obj)
    session.flush()
    connection = session.connection()
    model = inspect_model(instance_state(obj).mapper.registry)
    cache = model.derivation_of(obj, name)
    matcher = matcher_of(database_of(connection.engine, Settings()), model, connection)
    inquiry = _Inquiry(connection, matcher)
    return inquiry, matcher.registry.of(cache)


@dataclass
class _Inquiry:
    """The answers that one question needs, each looked up once."""

    connection: Connection
    matcher: Matcher
    _known: dict[int, bool] = field(default_factory=dict)
    _derivations: dict[int, bool] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _going_on: list[str] = field(default_factory=list)

    def calculated(self, derivation: RegisteredDerivation, cache: MemberDerivation, obj: object) -> Any:
        """Return the right value of a stale member, calculated now.

        As always, it has a session of its own, so that it finds nothing on its objects that others have left there.
        """
        if self._is_in_sets(derivation, external_id(obj)):
            return checked(cache.column, cache.name, self._in_sets(derivation, external_id(obj)).value)
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
        """Return a result as it would be read once it is stored: readers are made from that."""
        fit = checked(cache.column, cache.name, value)
        if derivation.target is None:
            return fit
        column = ResultColumn(self.matcher.database, derivation.target.table, cache.column, derivation.name)
        return column.come_back(self.connection, fit)

    def is_stale(self, derivation: RegisteredDerivation, root: str) -> bool:
        if self._is_in_sets(derivation, root):
            return self._differs(derivation, root)
        numbers = self.matcher.cache_rows.numbers(self.connection, derivation, [root])
        return root not in numbers or self._is_stale(numbers[root]) or self._leads_to(derivation, root)

    def _is_in_sets(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether an object's value is refreshed in sets, and was not set aside."""
        return derivation.plan is not None and not self.matcher.cache_rows.numbers(self.connection, derivation, [root])

    def _in_sets(self, derivation: RegisteredDerivation, root: str) -> Any:
        """Return what the database computes for an object, whatever is stored."""
        assert derivation.plan is not None
        refresh = refresh_of(derivation.plan, self._dialect.name)
        query = refresh.from_scratch(is_one_of(derivation.plan.key, [derivation.key_of(root)]))
        with self.connection.begin_nested():  # if it fails, the transaction goes on
            return self.connection.execute(query).one()

    def _differs(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether what the database computes is not what is stored. What can't be computed is out of date."""
        try:
            return bool(self._in_sets(derivation, root).differs)
        except DBAPIError as error:
            if self.matcher.database.is_its_own(error):
                raise
            return True

    def _leads_to(self, derivation: RegisteredDerivation, root: str) -> bool:
        """Return whether a touch leads to an object that was set aside."""
        plan = derivation.plan
        return plan is not None and is_touched(self.connection, plan, derivation.key_of(root))

    def _is_stale(self, number: int) -> bool:
        if number not in self._known:
            self._known[number] = False  # in a cycle, the others decide
            self._known[number] = self._is_due(number) or self._is_touched(number) or self._has_stale_feeder(number)
        return self._known[number]

    def _is_due(self, number: int) -> bool:
        since = select(dues.c.cache).where(dues.c.cache == number, dues.c.since.is_not(None))
        never = select(caches.c.id).where(caches.c.id == number, caches.c.computed.is_(None))
        return self.connection.execute(since.union_all(never)).first() is not None

    def _is_touched(self, number: int) -> bool:
        read_keys = self._read_keys(number)
        return not self._touched.isdisjoint(read_keys) or self._is_overwritten(number, read_keys)

    def _is_overwritten(self, number: int, read_keys: set[int]) -> bool:
        """Return whether somebody else has written the value."""
        transactions = [tx for tx, written in self._overwritten if not read_keys.isdisjoint(written)]
        if not transactions:
            return False
        wrote = self.connection.execute(select(caches.c.wrote).where(caches.c.id == number)).scalar()
        return not all(self.matcher.manifest_store.is_own_write(tx, wrote) for tx in transactions)

    def _has_stale_feeder(self, number: int) -> bool:
        return any(map(self._finds_stale, self._read_keys(number)))

    def _finds_stale(self, read_key: int) -> bool:
        """Return whether a read finds a derived value that is out of date. In doubt, it does."""
        pattern, key = self.matcher.patterns.pattern(pattern_number(read_key)), row_number(read_key)
        about = self.matcher.registry.writing(pattern.table_id, self.matcher.patterns.mask(pattern))
        writers = list(filter(self._may_be_stale, about))
        match pattern:
            case _ if not writers:
                return False
            case RowRead() if key is not None:
                return any(self._is_any_stale(writer, writer.roots_of([key], self._dialect)[0]) for writer in writers)
            case RowRead():
                return self._is_row_stale(read_key, pattern, {writer.id for writer in writers})
            case QueryRead(equal=(name,), columns=columns) if key is not None and _write_only(writers, columns):
                return any(self._is_any_stale(writer, self._matching(writer, name, key)) for writer in writers)
            case _:
                return True

    def _may_be_stale(self, derivation: RegisteredDerivation) -> bool:
        """Return whether any cache of a derivation is out of date, or may be because of what others write."""
        if derivation.id not in self._derivations:
            self._derivations[derivation.id] = False  # as above
            registry = self.matcher.registry
            self._derivations[derivation.id] = (
                self._has_due(derivation)
                or self._has_touches(derivation)
                or any(registry.knows(derivation.id, [pattern]) for pattern in self._touched_patterns)
                or any(registry.reads(derivation, feeder) and self._may_be_stale(feeder) for feeder in registry)
            )
        return self._derivations[derivation.id]

    def _has_due(self, derivation: RegisteredDerivation) -> bool:
        due = select(dues.c.derivation).where(dues.c.derivation == derivation.id, dues.c.since.is_not(None))
        unfinished = select(derivations.c.id).where(derivations.c.id == derivation.id, ~derivations.c.backfilled)
        return self.connection.execute(due.union_all(unfinished).limit(1)).first() is not None

    def _has_touches(self, derivation: RegisteredDerivation) -> bool:
        return derivation.plan is not None and is_any_touched(self.connection, derivation.plan.routes)

    def _is_any_stale(self, derivation: RegisteredDerivation, roots: Iterable[str]) -> bool:
        return any(self.is_stale(derivation, root) for root in roots)

    def _is_row_stale(self, read_key: int, pattern: RowRead, writers: Set[int]) -> bool:
        """Return whether a row whose key is only known as a hash has a stale value. Its own caches have read it."""
        own = [
            same_row(read_key, number)
            for number, row in self.matcher.patterns.row_reads(pattern.table_id)
            if row.own_column & pattern.columns
        ]
        readers = self.matcher.manifest_store.readers(self.connection, own, MAX_CACHES_OF_ROW)
        return any(derivation in writers and self._is_stale(number) for number, derivation, _ in readers)

    def _matching(self, derivation: RegisteredDerivation, name: str, key: int) -> Iterator[str]:
        """Yield the external ids of the objects whose row has this value in a column."""
        feeders = Feeders(self.matcher.cache_rows, self._dialect)
        return (root for _, root in feeders.objects_with(self.connection, derivation, [(name, str(key))]))

    @property
    def _dialect(self) -> Dialect:
        return self.matcher.dialect

    @cached_property
    def _touched_patterns(self) -> set[int]:
        """The numbers of all read patterns that are touched by changes that are not matched yet."""
        return {pattern_number(read_key) for _, read_keys in self._touches for read_key, _ in read_keys}

    @cached_property
    def _touched(self) -> set[int]:
        """The read keys of changes that are not matched yet."""
        return {read_key for _, read_keys in self._touches for read_key, is_own in read_keys if not is_own}

    @cached_property
    def _overwritten(self) -> list[tuple[int, list[int]]]:
        """The read keys of values written by changes that are not matched yet, with the transaction of each."""
        return [(tx, [read_key for read_key, is_own in read_keys if is_own]) for tx, read_keys in self._touches]

    @cached_property
    def _touches(self) -> list[tuple[int, list[tuple[int, bool]]]]:
        """The transaction of each change that is not matched yet, with what it touches (see `ReadPatterns.touched`)."""
        patterns = self.matcher.patterns
        return [(change.tx, patterns.touched(change)) for change in self.matcher.entries.waiting(self.connection)]

    def _read_keys(self, number: int) -> set[int]:
        return set(self.matcher.manifest_store.read_keys(self.connection, [number]).get(number, ()))


def _write_only(writers: Iterable[RegisteredDerivation], columns: int) -> bool:
    """Return whether derivations write these columns, and none of those that a query asks by."""
    return all(writer.target_column is not None and writer.target_column[1] & columns for writer in writers)


class _Freshening(ReadListener):
    """Calculates stale members just when they are read."""

    def __init__(self, inquiry: _Inquiry) -> None:
        self.states_by_attribute: dict[int, set[InstanceState[Any]]] = {}
        self._inquiry = inquiry

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        for derivation in self._inquiry.matcher.registry:
            cache = derivation.declaration
            if not isinstance(cache, MemberDerivation) or cache.member != attribute.key:
                continue
            if issubclass(attribute.parent.mapper.class_, cache.root.class_):
                return self.states_by_attribute.setdefault(
                    id(attribute), _Calculating(self._inquiry, derivation, cache)
                )
        return set()

    def has_passed(self, timestamp: datetime) -> bool:
        return timestamp <= SystemClock().now()


class _Calculating(set[InstanceState[Any]]):
    """The objects whose derived member was read; adding one makes its value right first."""

    def __init__(self, inquiry: _Inquiry, derivation: RegisteredDerivation, cache: MemberDerivation) -> None:
        super().__init__()
        self._inquiry, self._derivation, self._cache = inquiry, derivation, cache

    def __bool__(self) -> bool:
        return True

    def add(self, state: InstanceState[Any]) -> None:
        obj = state.obj()
        if state in self or obj is None:
            return
        if self._inquiry.is_stale(self._derivation, external_id(obj)):
            set_committed_value(obj, self._cache.member, self._inquiry.calculated(self._derivation, self._cache, obj))
        super().add(state)
