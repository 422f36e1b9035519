"""Refresh derived members on SQLite: a few statements, of which none brings a change to Python.

There is one writer at a time, so nobody changes anything between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Insert,
    Integer,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    collate,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union,
    update,
)
from sqlalchemy.types import NullType

from afterwork.store.direct import Direct
from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import (
    MAX_TOUCHES,
    Key,
    Refreshed,
    RefreshPlan,
    SetRefresh,
    TouchedChunk,
    Way,
    is_of,
)

DIGITS = 10
"""The digits behind the point that SQLAlchemy reads of a decimal without a scale."""

_ROW: ColumnElement[int] = literal_column("afterwork_touch.rowid")


@dataclass(frozen=True)
class _Followed:
    """The number of touches that were followed. `whole` says that any object may be touched."""

    count: int
    whole: bool


class SQLiteRefresh(SetRefresh):
    """Refreshes one derived member in a SQLite file.

    What is computed goes into a temporary table first, so that each value is computed once.
    """

    max_objects = 1_000

    @staticmethod
    def as_kept(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
        """Return a value as it would be stored if Python had read it: decimals are rounded twice, halves away from
        zero."""
        kind = member.type
        if not isinstance(kind, Numeric) or isinstance(kind, Float) or not kind.asdecimal:
            return value
        digits = func.round(value, DIGITS)
        if kind.scale is None:
            return digits
        # What the first rounding has made a half may lie just below it in binary.
        nudge = case((digits < 0, -1), else_=1) * (1e-11 + func.abs(digits) * 4e-16)
        return func.round(digits + nudge, kind.scale)

    @staticmethod
    def differs(stored: ColumnElement[Any], value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
        is_text = isinstance(member.type, String)
        return stored.is_distinct_from(collate(value, "BINARY") if is_text else value)

    def __init__(self, plan: RefreshPlan) -> None:
        super().__init__(plan)
        columns = [Column(f"k{n}", part.type) for n, part in enumerate(plan.key)]
        self.new = Table(f"afterwork_new_{plan.own}", MetaData(), *columns, Column("value", NullType()))

    def step(self, connection: Connection, touches: int, limit: int, now: datetime) -> Refreshed:
        whole = self._follow(connection).whole
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {self.new.name} ({self._columns})")
        self._compute.execute(connection, {"limit": limit})
        ((before,),) = self._last.execute(connection)
        self.note(connection, limit, now)
        written = self._write.change(connection, {})
        rows = self._computed.execute(connection)
        for statement in (self._drop_first, self._forget_own, self._clear):
            statement.execute(connection, {"limit": limit, "before": before})
        ((left,),) = self._left.execute(connection)
        objects = [tuple(row[:-1]) for row in rows]
        return Refreshed(objects, written, left, whole, [tuple(row[:-1]) for row in rows if not row[-1]])

    def gather(self, connection: Connection) -> None:
        while self._follow(connection).count:
            pass

    def set_aside(self, connection: Connection, limit: int) -> Sequence[Key]:
        rows = self._first_objects.execute(connection, {"limit": limit})
        self._drop_first.execute(connection, {"limit": limit})
        return [tuple(row) for row in rows]

    def touch_chunk(self, connection: Connection, position: Sequence[str] | None, size: int) -> TouchedChunk:
        key = self.plan.key
        chunk = select(*key).order_by(*key).limit(size)
        if position is not None:
            chunk = chunk.where(tuple_(*key) > tuple_(*(literal(part, NullType()) for part in position)))
        part = chunk.subquery()
        latest = [value.desc() for value in part.c]
        last = connection.execute(select(*part.c, func.count().over()).order_by(*latest).limit(1)).first()
        if last is None:
            return TouchedChunk(0, None)
        *position, count = last
        names = ["route", *(f"v{n}" for n, _ in enumerate(key, 1))]
        rows = select(literal(self.plan.own), *part.c, *self.marks)
        connection.execute(note_once([*names, *("via" for _ in self.marks)], rows))
        return TouchedChunk(count, position)

    @property
    def _columns(self) -> str:
        return ", ".join(column.name for column in self.new.c)

    def _follow(self, connection: Connection) -> "_Followed":
        """Touch the objects that the first other touches lead to, instead of these."""
        ((last, count, whole),) = self._first_touches.execute(connection)
        if count:
            self.gathered.execute(connection, {"last": last})
            self._drop_followed.execute(connection, {"last": last})
        return _Followed(count, bool(whole))

    @cached_property
    def _first_touches(self) -> Direct:
        c = own.touch.c
        mine = select(_ROW.label("place"), c.route, c.whole).where(is_of(self.plan.routes))
        first = mine.order_by(_ROW).limit(MAX_TOUCHES).subquery()
        others = func.count().filter(first.c.route != self.plan.own)
        return Direct(select(func.max(first.c.place), others, func.max(first.c.whole)))

    def note(self, connection: Connection, limit: int, now: datetime) -> None:
        """Write what is kept beside the values, before these are written."""

    @property
    def marks(self) -> Sequence[ColumnElement[Any]]:
        """The `via` of objects that no change has touched; () if it is not kept."""
        return ()

    @cached_property
    def gathered(self) -> Direct:
        """The statement that touches the objects which touches lead to, unless they are touched already."""
        names = [f"v{n}" for n, _ in enumerate(self.plan.key, 1)]
        roots = union(*(query for _, query in self.ways_on)).subquery()
        return Direct(note_once(["route", *names], select(literal(self.plan.own), *roots.c)))

    @property
    def ways_on(self) -> Iterator[tuple[Way, Select[Any]]]:
        """The ways that lead to objects from elsewhere, each with the query for the keys to which it leads."""
        for way in self.plan.ways:
            if way.route != self.plan.own:
                touches = own.touch.alias(f"touches_{way.route}")
                place: ColumnElement[int] = literal_column(f"touches_{way.route}.rowid")
                yield way, way.roots(touches).where(touches.c.route == way.route, place <= bindparam("last"))

    @cached_property
    def _drop_followed(self) -> Direct:
        others = self.plan.routes - {self.plan.own}
        return Direct(delete(own.touch).where(is_of(others), bindparam("last") >= _ROW))

    @cached_property
    def first(self) -> Any:
        """The first touches of objects, as many as a step computes."""
        values = (own.touch.c[f"v{n}"] for n, _ in enumerate(self.plan.key, 1))
        of_own = select(_ROW.label("place"), *values).select_from(own.touch).where(own.touch.c.route == self.plan.own)
        return of_own.order_by(_ROW).limit(bindparam("limit", type_=Integer())).subquery("first")

    @cached_property
    def _compute(self) -> Direct:
        plan, first = self.plan, self.first
        on = and_(*(part == first.c[f"v{n}"] for n, part in enumerate(plan.key, 1)))
        value: Any = plan.value
        values = select(*plan.key, value).join_from(plan.table, first, on).distinct()
        return Direct(insert(self.new).from_select([column.name for column in self.new.c], values))

    @cached_property
    def _write(self) -> Direct:
        value = self.as_kept(self.new.c.value, self.plan.member)
        return Direct(update(self.plan.bare).where(*self.is_written).values({self.plan.member.name: value}))

    @property
    def is_written(self) -> Sequence[ColumnElement[bool]]:
        """The conditions that a computed value belongs to a row, differs from the stored one, and fits."""
        plan, new = self.plan, self.new
        same = (plan.bare.c[part.name] == new.c[f"k{n}"] for n, part in enumerate(plan.key))
        value = self.as_kept(new.c.value, plan.member)
        return (*same, self.differs(plan.bare.c[plan.member.name], value, plan.member), self._fits)

    @cached_property
    def _computed(self) -> Direct:
        return Direct(select(*(self.new.c[f"k{n}"] for n, _ in enumerate(self.plan.key)), self._fits))

    @cached_property
    def _fits(self) -> ColumnElement[bool]:
        return self.fits(self.new.c.value)

    def fits(self, value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a value is of the member's type: SQLite keeps any value in any column."""
        member = self.plan.member
        fits: ColumnElement[bool] = func.typeof(value).in_(_names_of(member))
        if isinstance(member.type, Boolean):
            fits = and_(fits, or_(value.is_(None), type_coerce(value, Integer).in_([0, 1])))
        return fits

    @cached_property
    def _first_objects(self) -> Direct:
        way = next(way for way in self.plan.ways if way.route == self.plan.own)
        first = (
            select(own.touch)
            .where(own.touch.c.route == self.plan.own)
            .order_by(_ROW)
            .limit(bindparam("limit", type_=Integer()))
        )
        return Direct(way.roots(first.subquery("first")))

    @cached_property
    def _drop_first(self) -> Direct:
        return Direct(delete(own.touch).where(_ROW.in_(select(self.first.c.place))))

    @cached_property
    def _forget_own(self) -> Direct:
        """The statement that drops the touches by which this transaction has overwritten values."""
        mine = own.touch.c.route == self.plan.overwritten, bindparam("before", type_=Integer()) < _ROW
        return Direct(delete(own.touch).where(*mine))

    @cached_property
    def _last(self) -> Direct:
        return Direct(select(func.coalesce(func.max(_ROW), 0)).select_from(own.touch))

    @cached_property
    def _clear(self) -> Direct:
        return Direct(delete(self.new))

    @cached_property
    def _left(self) -> Direct:
        any_left = select(own.touch.c.route).where(is_of(self.plan.routes)).limit(1).subquery()
        return Direct(select(func.count()).select_from(any_left))


def note_once(names: Sequence[str], touches: Select[Any]) -> Insert:
    """Return the statement that notes touches that are not noted yet."""
    return insert(own.touch).prefix_with("OR IGNORE").from_select(names, touches)


def _names_of(member: Column[Any]) -> list[str]:
    nothing = ["null"] if member.nullable else []
    match member.type:
        case Boolean() | Integer():
            return ["integer", *nothing]
        case Numeric() | Float():
            return ["integer", "real", *nothing]
        case _:
            return ["text", *nothing]
