"""Refresh derived members on PostgreSQL: one statement takes touches, finds the objects, and writes what differs.

All its parts see the same snapshot. A transaction that commits later has touches of its own, so whatever is computed
here without its changes is computed again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    false,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
)

from afterwork.model.key import PrimaryKey, is_one_of
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import MAX_TOUCHES, Chunk, FilledChunk, Refreshed, RefreshPlan, SetRefresh, is_of
from afterwork.store.postgresql.last_change import refresh_parts
from afterwork.store.postgresql.refresh_parts import RefreshParts, as_kept, differs
from afterwork.store.postgresql.touch_text import REFRESHING

FEW = 100
"""Up to this number of touches, rows are looked up one by one by their indexes. The planner can't know the number."""

_SETTINGS = DirectStatement(
    text(
        "SELECT set_config('enable_hashjoin', :value, true), set_config('enable_mergejoin', :value, true),"
        " set_config('enable_seqscan', :value, true), set_config('jit', 'off', true),"
        f" set_config('{REFRESHING}', :route, true)"
    )
)


_NOW: ColumnElement[Any] = bindparam("now", type_=UtcDateTime())


_REFRESHING = DirectStatement(text(f"SELECT set_config('{REFRESHING}', :route, true)"))


class PostgreSQLRefresh(SetRefresh):
    """Refreshes one derived member in a PostgreSQL database."""

    # Each step follows all touches, so that few objects would cost as much as many.
    first_objects, max_objects = 5_000, 5_000
    as_kept = staticmethod(as_kept)
    differs = staticmethod(differs)

    def __init__(self, plan: RefreshPlan, parts: RefreshParts) -> None:
        super().__init__(plan)
        self.parts = parts

    def as_read(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        kind = self.plan.member.type
        return cast(value, kind) if isinstance(kind, Integer) else value  # the sum of sums of integers is numeric

    def step(self, connection: Connection, touches: int, limit: int, now: datetime) -> Refreshed:
        is_few = touches <= FEW
        self._prepare(connection, "off" if is_few else "on")
        statement = self._step_of_few if is_few else self._step_of_many
        return self._refreshed(statement.execute(connection, self.parts.parameters(limit, now)))

    def fill_chunk(
        self, connection: Connection, position: Sequence[str] | None, size: int, now: datetime
    ) -> FilledChunk:
        find_end, fill = self._fill_first if position is None else self._fill_next
        bounds = {f"after{n}": part for n, part in enumerate(position or ())}
        ends = find_end.execute(connection, {**bounds, "size": size})
        if not ends:
            return FilledChunk(0, None, Refreshed((), 0, 0, False))
        ((count, *last),) = ends
        self._prepare(connection, "off")
        bounds |= {f"last{n}": part for n, part in enumerate(last)}
        rows = fill.execute(connection, {**bounds, **self.parts.parameters(size, now)})
        return FilledChunk(count, last, self._refreshed(rows))

    def _prepare(self, connection: Connection, joins: Literal["on", "off"]) -> None:
        """Let the planner use joins of whole tables or not, and tell triggers who writes."""
        _SETTINGS.execute(connection, {"value": joins, "route": str(self.plan.overwritten)})

    def _refreshed(self, rows: Sequence[Sequence[Any]]) -> Refreshed:
        width = len(self.plan.key)
        objects = [tuple(row[:width]) for row in rows if row[0] is not None]
        refused = [tuple(row[:width]) for row in rows if row[0] is not None and row[width]]
        written, left, whole = rows[0][width + 1 :]
        return Refreshed(objects, written, left, bool(whole), refused)

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        _REFRESHING.execute(connection, {"route": str(self.plan.overwritten)})
        yield
        _REFRESHING.execute(connection, {"route": ""})

    def gather(self, connection: Connection) -> None:
        connection.execute(self._gather)

    def set_aside(self, connection: Connection, limit: int) -> Sequence[PrimaryKey]:
        keys = [tuple(row) for row in connection.execute(self._first_objects, {"limit": limit})]
        values = [own.touch.c[f"v{n}"] for n, _ in enumerate(self.plan.key, 1)]
        parts = [cast(value, kind) for value, kind in zip(values, self.plan.key_types, strict=True)]
        if keys:
            connection.execute(delete(own.touch).where(own.touch.c.route == self.plan.own, is_one_of(parts, keys)))
        return keys

    def touch_chunk(self, connection: Connection, position: Sequence[str] | None, size: int) -> Chunk:
        key = self.plan.key
        chunk: Any = select(*(cast(part, Text).label(f"v{n}") for n, part in enumerate(key, 1)))
        chunk = chunk.add_columns(func.row_number().over(order_by=key).label("place"))
        if position is not None:
            last = [cast(text_, kind) for text_, kind in zip(position, self.plan.key_types, strict=True)]
            chunk = chunk.where(tuple_(*key) > tuple_(*last))
        part = chunk.order_by(*key).limit(size).cte("chunk")
        values = [part.c[f"v{n}"] for n, _ in enumerate(key, 1)]
        touched = self.parts.touched(values, self.parts.via_columns(None))
        kept = touched.returning(own.touch.c.route).cte("touched")
        last_row = select(part.c.place, *values).add_cte(kept).order_by(part.c.place.desc()).limit(1)
        row = connection.execute(last_row).first()
        return Chunk(0, None) if row is None else Chunk(row[0], list(row[1:]))

    # The texts differ, since a server keeps the plan of each text.

    @cached_property
    def _step_of_few(self) -> DirectStatement:
        return DirectStatement(self._step.prefix_with("/* few */"))

    @cached_property
    def _step_of_many(self) -> DirectStatement:
        return DirectStatement(self._step.prefix_with("/* many */"))

    @property
    def _step(self) -> Select[Any]:
        plan = self.plan
        taken = self._taken(sorted(plan.routes))
        roots = self.parts.roots(taken)
        target = plan.table.alias("target")
        on = and_(*(target.c[part.key] == roots.c[f"k{n}"] for n, part in enumerate(plan.key)))
        here = select(*(target.c[part.key] for part in plan.key), *self.parts.carried(roots))
        here = here.select_from(target.join(roots, on))
        limit = bindparam("limit", type_=Integer())
        whole = select(func.bool_or(taken.c.whole)).scalar_subquery()
        changed, step = self._computing(here, here.order_by(*_key_of(plan, target)).limit(limit), target, whole)
        return step.add_cte(*self.parts.beside(roots, changed, _NOW), *self.parts.forgotten(taken))

    @cached_property
    def _fill_first(self) -> tuple[DirectStatement, DirectStatement]:
        return self._filling(())

    @cached_property
    def _fill_next(self) -> tuple[DirectStatement, DirectStatement]:
        return self._filling(self._bounds("after"))

    def _filling(self, after: Sequence[ColumnElement[Any]]) -> tuple[DirectStatement, DirectStatement]:
        """Return the statements for the end of the chunk after a position, and for computing up to there."""
        plan, key = self.plan, self.plan.key
        chunk = select(*key).order_by(*key).limit(bindparam("size", type_=Integer()))
        part = chunk.where(tuple_(*key) > tuple_(*after) if after else true()).subquery()
        texts = (cast(column, Text) for column in part.c)
        last = select(func.count().over(), *texts).order_by(*(column.desc() for column in part.c)).limit(1)
        target = plan.table.alias("target")
        columns = _key_of(plan, target)
        ranges = [tuple_(*columns) <= tuple_(*self._bounds("last"))]
        if after:
            ranges.append(tuple_(*columns) > tuple_(*after))
        here = select(*columns, *self.parts.unrouted).where(*ranges)
        roots = select(*(column.label(f"k{n}") for n, column in enumerate(columns)), *self.parts.unrouted).where(
            *ranges
        )
        changed, fill = self._computing(here, here.order_by(*columns), target, false())
        return DirectStatement(last), DirectStatement(
            fill.add_cte(*self.parts.beside(roots.cte("roots"), changed, _NOW))
        )

    def _bounds(self, name: str) -> Sequence[ColumnElement[Any]]:
        """Return parameters for a key that come as texts."""
        return [cast(bindparam(f"{name}{n}", type_=Text()), kind) for n, kind in enumerate(self.plan.key_types)]

    def _computing(
        self, here: Select[Any], first: Select[Any], target: FromClause, whole: ColumnElement[Any]
    ) -> tuple[CTE, Select[Any]]:
        """Return the part that writes values, and the query that computes the `first` objects of those that are `here`.

        Locked ones and all others are touched.
        """
        plan = self.plan
        picked = first.with_for_update(key_share=True, skip_locked=True, of=target).cte("picked")
        new = self.parts.new(picked)
        changed = self.parts.changed(new)
        rest = self.parts.rest(here.cte("here"), picked)
        counts = select(_count(changed).label("written"), _count(rest).label("left"), whole.label("whole"))
        summary = counts.cte("summary")
        is_refused = false() if plan.member.nullable else new.c.value.is_(None)
        keys = (new.c[f"k{n}"] for n, _ in enumerate(plan.key))
        return changed, select(*keys, is_refused, *summary.c).select_from(summary.outerjoin(new, true()))

    @cached_property
    def _gather(self) -> Executable:
        plan = self.plan
        taken = delete(own.touch).where(is_of(plan.routes - {plan.own}), ~own.touch.c.whole)
        roots = self.parts.roots(taken.returning(*own.touch.c).cte("taken"), but=plan.own)
        return self.parts.touched(
            [cast(roots.c[f"k{n}"], Text) for n, _ in enumerate(plan.key)], self.parts.via_columns(roots)
        )

    @cached_property
    def _first_objects(self) -> Executable:
        plan = self.plan
        way = next(way for way in plan.ways if way.route == plan.own)
        roots = way.roots(own.touch.c).where(own.touch.c.route == plan.own)
        return roots.distinct().order_by(*roots.selected_columns).limit(bindparam("limit", type_=Integer()))

    def _taken(self, routes: Sequence[int]) -> CTE:
        first: Select[Any] = (
            select(literal_column("ctid")).select_from(own.touch).where(is_of(routes)).limit(MAX_TOUCHES)
        )
        taken = delete(own.touch).where(
            literal_column("afterwork_touch.ctid") == any_(func.array(first.scalar_subquery()))
        )
        return taken.returning(*own.touch.c).cte("taken")


def _key_of(plan: RefreshPlan, target: FromClause) -> Sequence[ColumnElement[Any]]:
    return [target.c[part.key] for part in plan.key]


def _count(part: CTE) -> ColumnElement[int]:
    return select(func.count()).select_from(part).scalar_subquery()


def postgresql_refresh(plan: RefreshPlan) -> PostgreSQLRefresh:
    """Return the refresh of a plan."""
    return PostgreSQLRefresh(plan, refresh_parts(plan))
