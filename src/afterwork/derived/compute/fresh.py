"""`aw.fresh` and `aw.is_stale`: answers that are right now, whatever the server has still to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, overload

from sqlalchemy import Connection
from sqlalchemy.orm import InstanceState, QueryableAttribute, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from afterwork.clock import SystemClock
from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.result_check import checked
from afterwork.derived.compute.result_column import ResultColumn
from afterwork.derived.compute.staleness import Staleness
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.hidden_state import ReadListener, recording_to
from afterwork.derived.tracking.tracked_attributes import instrument
from afterwork.errors import BadRequest, CircularCaches
from afterwork.model.awaiting import asking
from afterwork.model.derivation import MemberDerivation
from afterwork.model.external_id import external_id
from afterwork.model.inspection import inspect_model
from afterwork.model.member import MemberOrName
from afterwork.saving.sessions import connection_of
from afterwork.saving.sessions import session as session_of
from afterwork.settings import Settings
from afterwork.store.dialects import database_behind
from afterwork.store.schema import check_installed

Value = TypeVar("Value")


@asking("aw.is_stale(…)")
def is_stale(obj: object, name: MemberOrName[Any]) -> bool:
    """Return whether a derived member of an object, or a view model that is a cache, is out of date.

    `name` is its name, or the member itself, `Customer.total`. It is if something that it read has changed, also
    through others, or if it has never run. In doubt it counts as out of date: where its queries ask for derived values
    by more than one column, or by no integer. This is answered in the transaction of the object's session, which is
    flushed before.

    Raises `BadRequest` if the object has no such cache, `NoSession` if it is in no session, and `NotInstalled` or
    `WrongSchema` if the database is not as it must be.
    """
    with _inquiry(obj, name) as (inquiry, derivation):
        return inquiry.staleness.is_stale(derivation, external_id(obj))


@overload
def fresh(obj: object, name: QueryableAttribute[Value]) -> Value: ...
@overload
def fresh(obj: object, name: str) -> Any: ...
@asking("aw.fresh(…)")
def fresh(obj: object, name: MemberOrName[Any]) -> Any:
    """Return the value of a derived member that is right now.

        total = aw.fresh(customer, Customer.total)  # or by its name, "total", which tells a type checker nothing

    That is the stored one, or if it is stale, one that is calculated here, with all stale values that it is made from.
    Only what a query of the calculation itself reads or compares in SQL is as the database has it. Nothing is stored;
    that is the server's work. This happens in the transaction of the object's session, which is flushed before.

    Raises `BadRequest` if the object has no such member, `NoSession` if it is in no session, `CircularCaches` if it is
    made from itself, `BadValue` if it can't be stored, `NotInstalled` or `WrongSchema` if the database is not as it
    must be, and what the calculation raises.
    """
    with _inquiry(obj, name) as (inquiry, derivation):
        if not isinstance(derivation.declaration, MemberDerivation):
            raise BadRequest(f"{name} is a view model, which has no value. Ask aw.is_stale, or run it with aw.later.")
        instrument(instance_state(obj).mapper.registry.mappers)
        with Session(inquiry.connection, autoflush=False) as session:
            twin = session.get_one(type(obj), instance_state(obj).identity)
            with recording_to(_Freshening(inquiry)):
                return getattr(twin, derivation.declaration.member)


@contextmanager
def _inquiry(obj: object, name: MemberOrName[Any]) -> "Iterator[tuple[_Inquiry, RegisteredDerivation]]":
    session = session_of(obj)
    session.flush()
    connection = connection_of(obj)
    model = inspect_model(instance_state(obj).mapper.registry)
    cache = model.derivation_of(obj, name)
    with database_behind(connection, Settings()) as database:
        check_installed(database, connection)
        matcher = matcher_of(database, model, connection)
        derivation = matcher.registry.of(cache)
        yield _Inquiry(Staleness(connection, matcher, matcher.entries.waiting(connection))), derivation


@dataclass
class _Inquiry:
    """The values that one question needs, each calculated once."""

    staleness: Staleness
    _values: dict[str, Any] = field(default_factory=dict)
    _going_on: list[str] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return self.staleness.connection

    def calculated(self, derivation: RegisteredDerivation, cache: MemberDerivation, obj: object) -> Any:
        """Return the right value of a stale member, calculated now.

        As always, it has a session of its own, so that it finds nothing on its objects that others have left there.
        """
        if self.staleness.is_in_sets(derivation, external_id(obj)):
            return checked(cache.column, cache.name, self.staleness.in_sets(derivation, external_id(obj)).value)
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
        column = ResultColumn(self.staleness.matcher.database, derivation.target.table, cache.column, derivation.name)
        return column.come_back(self.connection, fit)


class _Freshening(ReadListener):
    """Calculates stale members just when they are read."""

    def __init__(self, inquiry: _Inquiry) -> None:
        self.states_by_attribute: dict[int, set[InstanceState[Any]]] = {}
        self._inquiry = inquiry

    def states_of(self, attribute: QueryableAttribute[Any]) -> set[InstanceState[Any]]:
        for derivation in self._inquiry.staleness.matcher.registry:
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
        if self._inquiry.staleness.is_stale(self._derivation, external_id(obj)):
            set_committed_value(obj, self._cache.member, self._inquiry.calculated(self._derivation, self._cache, obj))
        super().add(state)
