"""Refresh derived members in the database: take touches, find the objects, compute, and write what differs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    column,
    func,
    literal_column,
    select,
    table,
    type_coerce,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.types import TypeEngine

from afterwork.model.key import PrimaryKey, is_one_of
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal import tables as own
from afterwork.store.journal.route_spec import RouteSpec

MAX_TOUCHES = 20_000
"""The maximum number of touches that one step takes."""

TouchColumns: TypeAlias = Mapping[str, ColumnElement[Any]] | ReadOnlyColumnCollection[str, Any]
"""The columns of touches, of a table or of a single one, by name."""


@dataclass(frozen=True)
class Way:
    """The way from the touches of a route to objects: `roots` returns the query for the keys that touches lead to.
    `is_through_rows` says that it goes through rows other than the changed one and the object's own."""

    route: int
    spec: RouteSpec
    roots: Callable[[TouchColumns], Select[Any]]
    is_through_rows: bool = False


@dataclass(frozen=True, eq=False)
class RefreshPlan:
    """A derived member to refresh: `value` computes `member` for each row of `table`.

    `from_scratch` is the same value as an expression that reads no other derived member. `ways` has the ways of all
    routes. `own` is the route from an object's own row, `overwritten` that from objects
    whose value has been changed. `key_types` are those of the key in the database. Plans
    are refreshed in the order of their places. With `keeps_last_change`, it is noted when and why a value was written.
    """

    name: str
    table: Table
    member: Column[Any]
    value: ColumnElement[Any]
    from_scratch: ColumnElement[Any]
    ways: Sequence[Way]
    own: int
    overwritten: int
    key_types: Sequence[TypeEngine[Any]]
    place: int
    keeps_last_change: bool = False

    @property
    def is_at_commit(self) -> bool:
        """Return whether the transaction computes it that changes what it is made of."""
        return any(way.spec.at_commit for way in self.ways)

    @property
    def key(self) -> tuple[Column[Any], ...]:
        """The primary key of the objects."""
        return tuple(self.table.primary_key.columns)

    @cached_property
    def routes(self) -> frozenset[int]:
        """The numbers of all its routes."""
        return frozenset(way.route for way in self.ways)

    def reads(self, column: Column[Any]) -> bool:
        """Return whether the value is made of a column."""
        specs = (way.spec for way in self.ways if way.spec.role != "overwritten")
        return any(spec.table == column.table.fullname and column.name in spec.counting for spec in specs)

    @cached_property
    def bare(self) -> Any:
        """The table without the defaults and other extras of the model."""
        columns = (column(part.name, part.type) for part in (*self.key, self.member))
        return table(self.table.name, *columns, schema=self.table.schema)


@dataclass(frozen=True)
class Refreshed:
    """The result of a step: the keys of the objects that were computed, and how many of them were `written`.

    `refused` are those whose value is null, or of another type than the member's, so that it was not written. `left`
    objects were touched again for the next step, since their rows are locked or there were too many. `whole` says that
    any object may be touched.
    """

    objects: Sequence[PrimaryKey]
    written: int
    left: int
    whole: bool
    refused: Sequence[PrimaryKey] = ()

    @property
    def computed(self) -> Sequence[PrimaryKey]:
        """Return the keys of the objects whose values are right now."""
        refused = set(self.refused)
        return [key for key in self.objects if key not in refused] if refused else self.objects


@dataclass(frozen=True)
class Chunk:
    """A part of all objects: how many there are, and the key of the last one as texts. Without any, it is the end."""

    count: int
    position: Sequence[str] | None


@dataclass(frozen=True)
class FilledChunk(Chunk):
    """A part of all objects that was computed, with the result. Those that are locked were touched."""

    done: Refreshed


class SetRefresh(ABC):
    """Refreshes one derived member in one kind of database, in the open transaction, which alone takes touches."""

    first_objects: ClassVar[int]
    """The number of objects that one step should compute while nobody knows how long they take."""
    max_objects: ClassVar[int]
    """The maximum number of objects that one step should compute, since others wait for it."""

    def __init__(self, plan: RefreshPlan) -> None:
        self.plan = plan

    @staticmethod
    @abstractmethod
    def as_kept(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
        """Return a value in the form in which the member keeps it, so that it can be compared."""

    def as_read(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a kept value in the form in which Python reads it from the column."""
        return value

    @staticmethod
    @abstractmethod
    def differs(stored: ColumnElement[Any], value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
        """Return the condition that Python could tell a kept value from the stored one."""

    def from_scratch(self, *where: ColumnElement[bool]) -> Select[Any]:
        """Return the query for objects' keys, what is stored, what is right, and whether these differ."""
        plan = self.plan
        computed = select(*plan.key, plan.member.label("stored"), plan.from_scratch.label("computed"))
        both = computed.select_from(plan.table).where(*where).subquery()
        value = self.as_kept(both.c.computed, plan.member)
        right = type_coerce(self.as_read(value), plan.member.type).label("value")
        keys = (both.c[part.key] for part in plan.key)
        differs = self.differs(both.c.stored, value, plan.member)
        return select(*keys, both.c.stored, right, differs.label("differs"))

    @abstractmethod
    def step(self, connection: Connection, touches: int, limit: int, now: datetime) -> Refreshed:
        """Refresh up to `limit` objects of the first touches, of which there are about `touches`."""

    @abstractmethod
    def gather(self, connection: Connection) -> None:
        """Follow all touches to their objects, and touch these instead."""

    @abstractmethod
    def set_aside(self, connection: Connection, limit: int) -> Sequence[PrimaryKey]:
        """Drop the touches of the first objects that the next step would compute, and return their keys."""

    @abstractmethod
    def fill_chunk(
        self, connection: Connection, position: Sequence[str] | None, size: int, now: datetime
    ) -> FilledChunk:
        """Compute the next objects after a position in the order of keys; None for the first ones."""

    @abstractmethod
    def writing(self, connection: Connection) -> AbstractContextManager[None]:
        """Let the block write the member without noting a touch, since nobody else does it.

        If the block raises, the caller rolls back.
        """

    @abstractmethod
    def touch_chunk(self, connection: Connection, position: Sequence[str] | None, size: int) -> Chunk:
        """Touch the next objects after a position in the order of keys; None for the first ones."""


def is_of(routes: Iterable[int], column: ColumnElement[int] = own.touch.c.route) -> ColumnElement[bool]:
    """Return the condition that a touch is one of these routes. The numbers stand in the statement itself, which is
    sent straight to the driver."""
    return column.in_([literal_column(str(route)) for route in sorted(routes)])


_FIRST = select(own.touch.c.route).limit(MAX_TOUCHES).subquery()
_PENDING = DirectStatement(select(_FIRST.c.route, func.count()).group_by(_FIRST.c.route))


@dataclass(frozen=True)
class PendingTouches:
    """The touches that wait, counted by route. Without `are_all`, they are only the first ones."""

    counts: Mapping[int, int]
    are_all: bool

    @property
    def are_any(self) -> bool:
        """Return whether there are any at all."""
        return bool(self.counts)

    def count(self, connection: Connection, routes: Collection[int]) -> int:
        """Return about how many there are of these routes."""
        known = sum(self.counts.get(route, 0) for route in routes)
        if known or self.are_all:
            return known
        return MAX_TOUCHES if is_any_touched(connection, routes) else 0


def pending_touches(connection: Connection) -> PendingTouches:
    """Return the touches that wait, as far as one step would take them."""
    counts = {row[0]: row[1] for row in _PENDING.execute(connection)}
    return PendingTouches(counts, sum(counts.values()) < MAX_TOUCHES)


def is_any_touched(connection: Connection, routes: Iterable[int]) -> bool:
    """Return whether there are touches of any of these routes."""
    return connection.execute(select(own.touch.c.route).where(is_of(routes)).limit(1)).first() is not None


def is_touched(connection: Connection, plan: RefreshPlan, key: PrimaryKey) -> bool:
    """Return whether a touch leads to an object."""
    return any(touched_among(connection, plan, way, [key]) for way in plan.ways)


def touched_among(connection: Connection, plan: RefreshPlan, way: Way, keys: Collection[PrimaryKey]) -> set[PrimaryKey]:
    """Return those of some objects to which touches lead by a way, with those of the open transaction."""
    found_keys: set[PrimaryKey] = set()
    is_on_the_way = plan.is_at_commit and connection.dialect.name == "postgresql"
    for touches in (own.touch, own.commit_touch) if is_on_the_way else (own.touch,):
        if keys and _is_any_whole(connection, touches, way):
            return set(keys)
        roots = way.roots(touches.c).where(touches.c.route == way.route).subquery()
        if keys:
            query = select(*roots.c).where(is_one_of(list(roots.c), keys)).distinct()
            found_keys |= {tuple(row) for row in connection.execute(query)}
    return found_keys


def _is_any_whole(connection: Connection, touches: Table, way: Way) -> bool:
    whole = select(touches.c.route).where(touches.c.route == way.route, touches.c.whole).limit(1)
    return connection.execute(whole).first() is not None
