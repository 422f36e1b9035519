"""Refresh derived members on SQLite: a few statements, of which none brings a change to Python.

There is one writer at a time, so nobody changes anything between them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.types import NullType

from afterwork.model.key import PrimaryKey
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import (
    MAX_TOUCHES,
    Chunk,
    FilledChunk,
    Refreshed,
    RefreshPlan,
    SetRefresh,
    Way,
    is_of,
)
from afterwork.store.sqlite.kept_values import as_kept, differs, fits, rounded, rounded_again

_ROW: ColumnElement[int] = literal_column("afterwork_touch.rowid")


@dataclass(frozen=True)
class _Followed:
    """The number of touches that were followed. `whole` says that any object may be touched."""

    count: int
    whole: bool


class SQLiteRefresh(SetRefresh):
    """Refreshes one derived member in a SQLite file.

    What is computed goes into a temporary table first, so that each value is computed and rounded once.
    """

    first_objects, max_objects = 1_000, 5_000
    as_kept = staticmethod(as_kept)
    differs = staticmethod(differs)

    def __init__(self, plan: RefreshPlan) -> None:
        super().__init__(plan)
        columns = [Column(f"k{n}", part.type) for n, part in enumerate(plan.key)]
        values = Column("value", NullType()), Column("kept", NullType())
        self.new = Table(f"afterwork_new_{plan.own}", MetaData(), *columns, *values)

    def step(self, connection: Connection, touches: int, limit: int, now: datetime) -> Refreshed:
        whole = self._follow(connection).whole
        self._create_new(connection)
        self._compute.execute(connection, {"limit": limit})
        self.note(connection, limit, now)
        done = self._write_new(connection)
        self._drop_first.execute(connection, {"limit": limit})
        ((left,),) = self._left.execute(connection)
        return replace(done, left=left, whole=whole)

    def fill_chunk(
        self, connection: Connection, position: Sequence[str] | None, size: int, now: datetime
    ) -> FilledChunk:
        self._create_new(connection)
        after = {f"after{n}": part for n, part in enumerate(position or ())}
        (self._compute_next if position else self._compute_first).execute(connection, {"size": size, **after})
        self.note(connection, 0, now)
        done = self._write_new(connection)
        return FilledChunk(len(done.objects), list(done.objects[-1]) if done.objects else None, done)

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        self._begin_writing.execute(connection)
        yield
        self._end_writing.execute(connection)

    def gather(self, connection: Connection) -> None:
        while self._follow(connection).count:
            pass

    def set_aside(self, connection: Connection, limit: int) -> Sequence[PrimaryKey]:
        rows = self._first_objects.execute(connection, {"limit": limit})
        self._drop_first.execute(connection, {"limit": limit})
        return [tuple(row) for row in rows]

    def touch_chunk(self, connection: Connection, position: Sequence[str] | None, size: int) -> Chunk:
        key = self.plan.key
        chunk = select(*key).order_by(*key).limit(size)
        after = {f"after{n}": value for n, value in enumerate(position or ())}
        part = (chunk.where(_is_after(key)) if position else chunk).subquery()
        latest = [value.desc() for value in part.c]
        last = connection.execute(select(*part.c, func.count().over()).order_by(*latest).limit(1), after).first()
        if last is None:
            return Chunk(0, None)
        *position, count = last
        names = ["route", *(f"v{n}" for n, _ in enumerate(key, 1))]
        rows = select(literal(self.plan.own), *part.c, *self.via_columns)
        connection.execute(note_once([*names, *("via" for _ in self.via_columns)], rows), after)
        return Chunk(count, position)

    @property
    def _columns(self) -> str:
        return ", ".join(column.name for column in self.new.c)

    def _create_new(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {self.new.name} ({self._columns})")

    def _write_new(self, connection: Connection) -> Refreshed:
        """Write the new values that differ."""
        with self.writing(connection):
            written = self._write.change(connection, {})
        objects, refused = self._computed.execute(connection), self._refused.execute(connection)
        self._clear.execute(connection)
        return Refreshed(list(map(tuple, objects)), written, 0, False, list(map(tuple, refused)))

    def _follow(self, connection: Connection) -> "_Followed":
        """Touch the objects that the first other touches lead to, instead of these."""
        ((last, count, whole),) = self._first_touches.execute(connection)
        if count:
            self.gathered.execute(connection, {"last": last})
            self._drop_followed.execute(connection, {"last": last})
        return _Followed(count, bool(whole))

    @cached_property
    def _first_touches(self) -> DirectStatement:
        c = own.touch.c
        mine = select(_ROW.label("place"), c.route, c.whole).where(is_of(self.plan.routes))
        first = mine.order_by(_ROW).limit(MAX_TOUCHES).subquery()
        others = func.count().filter(first.c.route != self.plan.own)
        return DirectStatement(select(func.max(first.c.place), others, func.max(first.c.whole)))

    def note(self, connection: Connection, limit: int, now: datetime) -> None:
        """Write what is kept beside the values, before these are written."""

    @property
    def via_columns(self) -> Sequence[ColumnElement[Any]]:
        """The `via` of objects that no change has touched; () if it is not kept."""
        return ()

    @cached_property
    def gathered(self) -> DirectStatement:
        """The statement that touches the objects which touches lead to, unless they are touched already."""
        names = [f"v{n}" for n, _ in enumerate(self.plan.key, 1)]
        roots = union(*(query for _, query in self.ways_on)).subquery()
        return DirectStatement(note_once(["route", *names], select(literal(self.plan.own), *roots.c)))

    @property
    def ways_on(self) -> Iterator[tuple[Way, Select[Any]]]:
        """The ways that lead to objects from elsewhere, each with the query for the keys to which it leads."""
        for way in self.plan.ways:
            if way.route != self.plan.own:
                touches = own.touch.alias(f"touches_{way.route}")
                place: ColumnElement[int] = literal_column(f"touches_{way.route}.rowid")
                yield way, way.roots(touches.c).where(touches.c.route == way.route, place <= bindparam("last"))

    @cached_property
    def _drop_followed(self) -> DirectStatement:
        others = self.plan.routes - {self.plan.own}
        return DirectStatement(delete(own.touch).where(is_of(others), bindparam("last") >= _ROW))

    @cached_property
    def first(self) -> Any:
        """The first touches of objects, as many as a step computes."""
        values = (own.touch.c[f"v{n}"] for n, _ in enumerate(self.plan.key, 1))
        of_own = select(_ROW.label("place"), *values).select_from(own.touch).where(own.touch.c.route == self.plan.own)
        return of_own.order_by(_ROW).limit(bindparam("limit", type_=Integer())).subquery("first")

    @cached_property
    def _compute(self) -> DirectStatement:
        plan, first = self.plan, self.first
        on = and_(*(part == first.c[f"v{n}"] for n, part in enumerate(plan.key, 1)))
        value: Any = plan.value
        computed = select(*self._labelled_key, value.label("value")).join_from(plan.table, first, on).distinct()
        return DirectStatement(self._insert(self._with_kept(computed)))

    @cached_property
    def _compute_first(self) -> DirectStatement:
        return DirectStatement(self._chunk())

    @cached_property
    def _compute_next(self) -> DirectStatement:
        return DirectStatement(self._chunk(_is_after(self.plan.key)))

    def _chunk(self, *where: ColumnElement[bool]) -> Insert:
        """Return the statement that computes the first objects that meet a condition, in the order of keys."""
        key = self.plan.key
        value: Any = self.plan.value
        values = select(*self._labelled_key, value.label("value")).select_from(self.plan.table).where(*where)
        chunk = self._with_kept(values.order_by(*key).limit(bindparam("size", type_=Integer())))
        return self._insert(chunk.order_by(*list(chunk.selected_columns)[: len(key)]))

    @property
    def _labelled_key(self) -> Sequence[ColumnElement[Any]]:
        return [part.label(f"k{n}") for n, part in enumerate(self.plan.key)]

    def _with_kept(self, computed: Select[Any]) -> Select[Any]:
        """Return a query with the kept form of its values beside them. With a limit, SQLite rounds each value once."""
        values, member = computed.subquery("computed"), self.plan.member
        digits = select(*values.c, rounded(values.c.value, member).label("digits")).limit(-1).subquery("rounded")
        return select(*list(digits.c)[:-1], rounded_again(digits.c.digits, member))

    def _insert(self, rows: Select[Any]) -> Insert:
        return insert(self.new).from_select([column.name for column in self.new.c], rows)

    @cached_property
    def _write(self) -> DirectStatement:
        kept = {self.plan.member.name: self.new.c.kept}
        return DirectStatement(update(self.plan.bare).where(*self.is_written).values(kept))

    @property
    def is_written(self) -> Sequence[ColumnElement[bool]]:
        """The conditions that a computed value belongs to a row, differs from the stored one, and fits."""
        plan, new = self.plan, self.new
        same = (plan.bare.c[part.name] == new.c[f"k{n}"] for n, part in enumerate(plan.key))
        return (*same, self.differs(plan.bare.c[plan.member.name], new.c.kept, plan.member), self._fits)

    @cached_property
    def _computed(self) -> DirectStatement:
        return DirectStatement(self._new_keys.order_by(literal_column(f"{self.new.name}.rowid")))

    @cached_property
    def _refused(self) -> DirectStatement:
        return DirectStatement(self._new_keys.where(~self._fits))

    @property
    def _new_keys(self) -> Select[Any]:
        return select(*(self.new.c[f"k{n}"] for n, _ in enumerate(self.plan.key)))

    @cached_property
    def _fits(self) -> ColumnElement[bool]:
        return fits(self.new.c.value, self.plan.member)

    @cached_property
    def _first_objects(self) -> DirectStatement:
        way = next(way for way in self.plan.ways if way.route == self.plan.own)
        first = (
            select(own.touch)
            .where(own.touch.c.route == self.plan.own)
            .order_by(_ROW)
            .limit(bindparam("limit", type_=Integer()))
        )
        return DirectStatement(way.roots(first.subquery("first").c))

    @cached_property
    def _drop_first(self) -> DirectStatement:
        return DirectStatement(delete(own.touch).where(_ROW.in_(select(self.first.c.place))))

    @cached_property
    def _begin_writing(self) -> DirectStatement:
        return DirectStatement(insert(own.refreshing).values(route=self.plan.overwritten))

    @cached_property
    def _end_writing(self) -> DirectStatement:
        return DirectStatement(delete(own.refreshing))

    @cached_property
    def _clear(self) -> DirectStatement:
        return DirectStatement(delete(self.new))

    @cached_property
    def _left(self) -> DirectStatement:
        any_left = select(own.touch.c.route).where(is_of(self.plan.routes)).limit(1).subquery()
        return DirectStatement(select(func.count()).select_from(any_left))


def _is_after(key: Sequence[Column[Any]]) -> ColumnElement[bool]:
    """Return the condition that a key comes after a position, whose parts come as they are."""
    return tuple_(*key) > tuple_(*(bindparam(f"after{n}", type_=NullType()) for n, _ in enumerate(key)))


def note_once(names: Sequence[str], touches: Select[Any]) -> Insert:
    """Return the statement that notes touches that are not noted yet."""
    return insert(own.touch).prefix_with("OR IGNORE").from_select(names, touches)
