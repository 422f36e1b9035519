"""The text of the functions by which PostgreSQL refreshes derived members when a transaction commits.

Deferred triggers call them, so each transaction computes a value once, with all that it has written. It locks the
objects in the order of their keys, and then looks at them with a new snapshot: whoever had them locked before is done.

Of two transactions that overlap, the one that computes later sees the rows of the other, or one of them sees that the
other is in progress. Then its touches go on to the servers, which follow them again through the rows of both. So do
the touches of a transaction that keeps an old snapshot, and those whose values can't be computed or written here: no
user's transaction fails because of them.
"""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, false, func, literal_column, select
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement

from afterwork.compat.sqlalchemy_literals import as_literal_sql
from afterwork.errors import NotAtCommit
from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import RefreshPlan, is_of
from afterwork.store.postgresql.last_change import refresh_parts

FEW = 10
"""Up to this number of touches, the plan of a statement is made for a few rows."""

ME: ColumnElement[Any] = literal_column("pg_current_xact_id()")

OVERLAPS = "afterwork.overlaps"
"""The setting that says whether another transaction that writes was in progress when this one began to compute."""

_IN_PROGRESS = (
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted"
    " AND pid IS DISTINCT FROM pg_backend_pid())"
)
"""The condition that another transaction has a number. A snapshot doesn't list those with the highest ones."""


def first_body() -> str:
    """Return the body of the function that is called before all others. To look before computing is essential: of two
    transactions, one computes after the other, and that one began while the other was in progress, or sees its rows."""
    return f"""
BEGIN
    PERFORM set_config('{OVERLAPS}', ({_IN_PROGRESS})::text, true);
    RETURN NULL;
END """


class CommitFunction:
    """The function that refreshes one derived member. `schema` is the journal's, `wake` the statement that wakes
    servers."""

    def __init__(self, plan: RefreshPlan, schema: str, wake: str) -> None:
        self.plan = plan
        self.schema = schema
        self.wake = wake
        self._parts = refresh_parts(plan)

    def body(self) -> str:
        """Return the whole body. Raises `NotAtCommit` for a value that can't be written into it."""
        return f"""
#variable_conflict use_column
DECLARE
    afterwork_count bigint;
    afterwork_before text[];
    afterwork_locked text[];
    afterwork_again boolean := false;
BEGIN
    SELECT count(*) INTO afterwork_count FROM (SELECT FROM {self._touches} LIMIT {FEW + 1}) AS few;
    IF afterwork_count = 0 THEN
        RETURN NULL;
    END IF;
    BEGIN
        IF afterwork_count <= {FEW} THEN
{self._lock_and_write(FEW)}
        ELSE
{self._lock_and_write(None)}
        END IF;
    EXCEPTION WHEN OTHERS THEN
        afterwork_again := true;
    END;
    IF afterwork_again OR current_setting('{OVERLAPS}')::boolean
        OR current_setting('transaction_isolation') <> 'read committed' THEN
        INSERT INTO {self.schema}.afterwork_touch ({self._columns})
            SELECT DISTINCT {self._columns} FROM {self._touches};{self.wake}    END IF;
    DELETE FROM {self._touches};
    RETURN NULL;
END """

    def _lock_and_write(self, limit: int | None) -> str:
        lock, write = self._text(self._lock(limit)), self._text(self._write(limit))
        if not self._has_ways_through_rows:
            return f"            {lock} INTO afterwork_locked;\n            {write} INTO afterwork_again;"
        # The previous holder of a lock may have changed the way to its object.
        return f"""            LOOP
                {lock} INTO afterwork_locked;
                EXIT WHEN afterwork_locked IS NOT DISTINCT FROM afterwork_before;
                afterwork_before := afterwork_locked;
            END LOOP;
            {write} INTO afterwork_again;"""

    @property
    def _has_ways_through_rows(self) -> bool:
        return any(way.is_through_rows for way in self.plan.ways)

    @property
    def _touches(self) -> str:
        routes = ", ".join(map(str, sorted(self.plan.routes)))
        return f"{self.schema}.afterwork_commit_touch WHERE tx = pg_current_xact_id() AND route IN ({routes})"

    @property
    def _columns(self) -> str:
        return ", ".join(column.name for column in own.touch.columns)

    def _lock(self, limit: int | None) -> Select[Any]:
        """Return the statement that locks the objects, and returns their keys as texts."""
        target = self.plan.table.alias("target")
        key = [target.c[part.key] for part in self.plan.key]
        objects = self._objects(self._roots(self._taken(limit)), target).order_by(*key)
        locked = objects.with_for_update(key_share=True, of=target).subquery("locked")
        return select(func.array_agg(literal_column("locked::text"))).select_from(locked)

    def _write(self, limit: int | None) -> Select[Any]:
        """Return the statement that writes what differs, and returns whether a value is null that must not be."""
        taken = self._taken(limit)
        roots = self._roots(taken)
        new = self._parts.new(self._objects(roots, self.plan.table.alias("target")).cte("picked"))
        changed = self._parts.changed(new)
        beside = [*self._parts.beside(roots, changed, func.now()), *self._parts.forgotten(taken)]
        is_refused = false() if self.plan.member.nullable else new.c.value.is_(None)
        any_refused = select(func.bool_or(is_refused)).select_from(new).scalar_subquery()
        return select(func.coalesce(any_refused, false())).add_cte(changed, *beside)

    def _taken(self, limit: int | None) -> CTE:
        """Return the part with the touches of this transaction."""
        c = own.commit_touch.c
        touched = select(own.commit_touch).where(c.tx == ME, is_of(self.plan.routes, c.route))
        return (touched if limit is None else touched.limit(limit)).cte("taken")

    def _roots(self, taken: CTE) -> CTE:
        """Return the part with the keys of the objects that touches lead to."""
        is_any = select(func.bool_or(taken.c.whole)).scalar_subquery()
        every = select(*(part.label(f"k{n}") for n, part in enumerate(self.plan.key))).where(is_any)
        return self._parts.roots(taken, every)

    def _objects(self, roots: CTE, target: Any) -> Select[Any]:
        """Return the query for the keys of the objects that are there."""
        key = [target.c[part.key] for part in self.plan.key]
        on = and_(*(part == roots.c[f"k{n}"] for n, part in enumerate(key)))
        return select(*key).select_from(target.join(roots, on))

    def _text(self, statement: ClauseElement) -> str:
        try:
            return as_literal_sql(statement, "postgresql")
        except CompileError as error:
            raise NotAtCommit(self.plan.name, f"it has a value that no trigger can hold: {error}") from None
