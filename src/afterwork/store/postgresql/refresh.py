"""Refresh derived members on PostgreSQL: one statement takes touches, finds the objects, and writes what differs.

All its parts see the same snapshot. A transaction that commits later has touches of its own, so whatever is computed
here without its changes is computed again.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Connection,
    Executable,
    Float,
    Insert,
    Integer,
    Numeric,
    Select,
    String,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    collate,
    delete,
    false,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    true,
    tuple_,
    union,
    update,
)

from afterwork.model.key import is_one_of
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct import Direct
from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import (
    MAX_TOUCHES,
    Key,
    Refreshed,
    SetRefresh,
    TouchedChunk,
    is_of,
)
from afterwork.store.postgresql.touch_source import REFRESHING

FEW = 100
"""Up to this number of touches, rows are looked up one by one by their indexes. The planner can't know the number."""

_SETTINGS = Direct(
    text(
        "SELECT set_config('enable_hashjoin', :value, true), set_config('enable_mergejoin', :value, true),"
        " set_config('enable_seqscan', :value, true), set_config('jit', 'off', true),"
        f" set_config('{REFRESHING}', :route, true)"
    )
)


class PostgreSQLRefresh(SetRefresh):
    """Refreshes one derived member in a PostgreSQL database."""

    max_objects = 5_000

    @staticmethod
    def as_kept(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
        is_rounded = isinstance(member.type, Numeric) and member.type.scale is not None
        return cast(value, member.type) if is_rounded else value

    def as_read(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        kind = self.plan.member.type
        return cast(value, kind) if isinstance(kind, Integer) else value  # the sum of sums of integers is numeric

    @staticmethod
    def differs(stored: ColumnElement[Any], value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
        match member.type:
            case Numeric(scale=None) | Float():  # 1.5 and 1.50 are equal, as are zero and minus zero
                return cast(stored, Text).is_distinct_from(cast(value, Text))
            case String():
                return collate(stored, "C").is_distinct_from(collate(value, "C"))
            case _:
                return stored.is_distinct_from(value)

    def step(self, connection: Connection, touches: int, limit: int, now: datetime) -> Refreshed:
        is_few = touches <= FEW
        settings = {"value": "off" if is_few else "on", "route": str(self.plan.overwritten)}
        _SETTINGS.execute(connection, settings)
        rows = (self._step_of_few if is_few else self._step_of_many).execute(connection, self.parameters(limit, now))
        width = len(self.plan.key)
        objects = [tuple(row[:width]) for row in rows if row[0] is not None]
        refused = [tuple(row[:width]) for row in rows if row[0] is not None and row[width]]
        written, left, whole = rows[0][width + 1 :]
        return Refreshed(objects, written, left, bool(whole), refused)

    def gather(self, connection: Connection) -> None:
        connection.execute(self._gather)

    def set_aside(self, connection: Connection, limit: int) -> Sequence[Key]:
        keys = [tuple(row) for row in connection.execute(self._first_objects, {"limit": limit})]
        values = [own.touch.c[f"v{n}"] for n, _ in enumerate(self.plan.key, 1)]
        parts = [cast(value, kind) for value, kind in zip(values, self.plan.key_types, strict=True)]
        if keys:
            connection.execute(delete(own.touch).where(own.touch.c.route == self.plan.own, is_one_of(parts, keys)))
        return keys

    def touch_chunk(self, connection: Connection, position: Sequence[str] | None, size: int) -> TouchedChunk:
        key = self.plan.key
        chunk: Any = select(*(cast(part, Text).label(f"v{n}") for n, part in enumerate(key, 1)))
        chunk = chunk.add_columns(func.row_number().over(order_by=key).label("place"))
        if position is not None:
            last = [cast(text_, kind) for text_, kind in zip(position, self.plan.key_types, strict=True)]
            chunk = chunk.where(tuple_(*key) > tuple_(*last))
        part = chunk.order_by(*key).limit(size).cte("chunk")
        values = [part.c[f"v{n}"] for n, _ in enumerate(key, 1)]
        touched = self._touched(values, self.marks(None))
        kept = touched.returning(own.touch.c.route).cte("touched")
        last_row = select(part.c.place, *values).add_cte(kept).order_by(part.c.place.desc()).limit(1)
        row = connection.execute(last_row).first()
        return TouchedChunk(0, None) if row is None else TouchedChunk(row[0], list(row[1:]))

    # The texts differ, since a server keeps the plan of each text.

    @cached_property
    def _step_of_few(self) -> Direct:
        return Direct(self._step.prefix_with("/* few */"))

    @cached_property
    def _step_of_many(self) -> Direct:
        return Direct(self._step.prefix_with("/* many */"))

    @property
    def _step(self) -> Select[Any]:
        plan = self.plan
        taken = self._taken(sorted(plan.routes))
        roots = self.roots(taken)
        target = plan.table.alias("target")
        on = and_(*(target.c[part.key] == roots.c[f"k{n}"] for n, part in enumerate(plan.key)))
        here = select(*(target.c[part.key] for part in plan.key), *self.carried(roots))
        here = here.select_from(target.join(roots, on))
        first = here.order_by(*(target.c[part.key] for part in plan.key)).limit(bindparam("limit", type_=Integer()))
        picked = first.with_for_update(key_share=True, skip_locked=True, of=target).cte("picked")
        new = self.new(picked)
        changed = self.changed(new)
        rest = self._rest(here.cte("here"), picked)
        whole = select(func.bool_or(taken.c.whole)).scalar_subquery()
        summary = select(_count(changed).label("written"), _count(rest).label("left"), whole.label("whole")).cte(
            "summary"
        )
        is_refused = false() if plan.member.nullable else new.c.value.is_(None)
        keys = (new.c[f"k{n}"] for n, _ in enumerate(plan.key))
        step = select(*keys, is_refused, *summary.c).select_from(summary.outerjoin(new, true()))
        return step.add_cte(*self.beside(taken, roots, changed, bindparam("now", type_=UtcDateTime())))

    @cached_property
    def _gather(self) -> Executable:
        plan = self.plan
        taken = delete(own.touch).where(is_of(plan.routes - {plan.own}), ~own.touch.c.whole)
        roots = self.roots(taken.returning(*own.touch.c).cte("taken"), but=plan.own)
        return self._touched([cast(roots.c[f"k{n}"], Text) for n, _ in enumerate(plan.key)], self.marks(roots))

    @cached_property
    def _first_objects(self) -> Executable:
        plan = self.plan
        way = next(way for way in plan.ways if way.route == plan.own)
        roots = way.roots(own.touch).where(own.touch.c.route == plan.own)
        return roots.distinct().order_by(*roots.selected_columns).limit(bindparam("limit", type_=Integer()))

    def _taken(self, routes: Sequence[int]) -> CTE:
        first: Select[Any] = (
            select(literal_column("ctid")).select_from(own.touch).where(is_of(routes)).limit(MAX_TOUCHES)
        )
        taken = delete(own.touch).where(
            literal_column("afterwork_touch.ctid") == any_(func.array(first.scalar_subquery()))
        )
        return taken.returning(*own.touch.c).cte("taken")

    def roots(self, taken: CTE, *more: Select[Any], but: int | None = None) -> CTE:
        """Return the part with the keys of the objects that touches lead to, and more of them."""
        selects = list(more)
        for way in self.plan.ways:
            if way.route == but:
                continue
            touches = taken.alias(f"touches_{way.route}")
            query = way.roots(touches).where(touches.c.route == way.route)
            selects.append(query.with_only_columns(*(c.label(f"k{n}") for n, c in enumerate(query.selected_columns))))
        return union(*selects).cte("roots")

    def new(self, picked: CTE) -> CTE:
        """Return the part with the values of the picked objects."""
        plan = self.plan
        keys = [part.label(f"k{n}") for n, part in enumerate(plan.key)]
        on = and_(*(part == picked.c[part.key] for part in plan.key))
        value: Any = plan.value
        return (
            select(*keys, self.as_kept(value, plan.member).label("value"))
            .join_from(plan.table, picked, on)
            .cte("computed")
        )

    def changed(self, new: CTE) -> CTE:
        """Return the part that writes new values where they differ from the stored ones."""
        plan = self.plan
        stored = plan.bare.c[plan.member.name]
        differs = self.differs(stored, new.c.value, plan.member)
        same = (plan.bare.c[part.name] == new.c[f"k{n}"] for n, part in enumerate(plan.key))
        fits = [] if plan.member.nullable else [new.c.value.is_not(None)]
        written = update(plan.bare).where(*same, differs, *fits).values({plan.member.name: new.c.value})
        return written.returning(*self.written()).cte("changed")

    def _rest(self, here: CTE, picked: CTE) -> CTE:
        """Return the part that touches those objects again that were not picked."""
        plan = self.plan
        # NOT IN is hashed. For NOT EXISTS, the planner, which expects few, may compare each object with each.
        keys = select(*(picked.c[part.key] for part in plan.key))
        is_picked = tuple_(*(here.c[part.key] for part in plan.key)).in_(keys)
        values = [cast(here.c[part.key], Text) for part in plan.key]
        rest = self._touched(values, self.marks(here), ~is_picked)
        return rest.returning(own.touch.c.route).cte("rest")

    def _touched(
        self, key: Sequence[ColumnElement[Any]], marks: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]
    ) -> Insert:
        """Return the statement that touches objects with these keys as texts."""
        names = ["route", *(f"v{n}" for n, _ in enumerate(key, 1)), *("via" for _ in marks)]
        return insert(own.touch).from_select(names, select(literal(self.plan.own), *key, *marks).where(*where))

    # What follows is for those that keep more than the value.

    def parameters(self, limit: int, now: datetime) -> dict[str, Any]:
        """Return the parameters of a step."""
        return {"limit": limit}

    def carried(self, roots: CTE) -> Sequence[ColumnElement[Any]]:
        """Return the columns of the roots that stay with the objects, beside their keys."""
        return ()

    def marks(self, objects: CTE | None) -> Sequence[ColumnElement[Any]]:
        """Return the `via` of objects that are touched again; () if it is not kept. Without any, all are in turn."""
        return ()

    def written(self) -> Sequence[ColumnElement[Any]]:
        """Return the columns that writing a value returns."""
        return (literal_column("1").label("one"),)

    def beside(self, taken: CTE, roots: CTE, changed: CTE, now: ColumnElement[Any]) -> Sequence[CTE]:
        """Return the parts that write something beside the values."""
        return ()


def _count(part: CTE) -> ColumnElement[int]:
    return select(func.count()).select_from(part).scalar_subquery()
