"""Triggers on SQLite that refresh derived members in the transactions that change what they are made of.

They are on `afterwork_touch`, one for each route, and follow a touch as soon as it is noted: SQLite has no deferred
triggers, and a single writer, so that nobody else changes anything meanwhile. A trigger never fires within itself.
Hence each route has its own, and each member that is computed so has its own trigger for its capture.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Delete, Insert, Select, and_, insert, literal_column, select, text
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.functions import FunctionElement

from afterwork.compat.sqlalchemy_literals import as_literal_sql
from afterwork.errors import NotAtCommit
from afterwork.store.journal.commit_triggers import CommitTriggers
from afterwork.store.journal.last_change import COLUMNS, forgotten, key_text, route_of
from afterwork.store.journal.refresh import RefreshPlan, Way
from afterwork.store.journal.tables import last_change, touch
from afterwork.store.sqlite.kept_values import as_kept, differs, fits

# fmt: off
HARMLESS = frozenset({
    "abs", "avg", "char", "coalesce", "concat", "count", "date", "datetime", "distinct", "exists", "group_concat",
    "hex", "ifnull", "iif", "instr", "julianday", "length", "lower", "ltrim", "max", "min", "nullif", "printf",
    "quote", "replace", "round", "rtrim", "sign", "strftime", "substr", "substring", "sum", "time", "total",
    "trim", "typeof", "unicode", "upper",
})
# fmt: on
"""The functions that a writer's connection has, and that raise nothing but for numbers beyond 64 bits."""

_PRESENT = text(
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'afterwork!_commit!_%' ESCAPE '!'"
)

NOW: ColumnElement[Any] = literal_column("strftime('%Y-%m-%d %H:%M:%f000', 'now')")
"""The time as columns of timestamps have it."""

NOTED: Mapping[str, ColumnElement[Any]] = {
    column.name: literal_column(f"NEW.{column.name}", column.type) for column in touch.columns
}
"""The columns of the touch that fires a trigger."""

_LIVE = text("SELECT id FROM afterwork_route WHERE at_commit")


class SQLiteCommitTriggers(CommitTriggers):
    """The triggers of a SQLite file."""

    def install(self, plans: Sequence[RefreshPlan]) -> Iterator[str]:
        for plan in plans:
            if not self.are_installed(plan):
                for name, sql in self._triggers(plan):
                    self._drop(name)
                    self.connection.exec_driver_sql(sql)
                yield f"triggers created that refresh {plan.name} at commit"
        live = {_name(number) for number in self.connection.execute(_LIVE).scalars()}
        for name in self._present().keys() - live:
            self._drop(name)
            yield f"trigger {name} dropped"

    def are_installed(self, plan: RefreshPlan) -> bool:
        present = self._present()
        return all(present.get(name) == sql for name, sql in self._triggers(plan))

    def _present(self) -> dict[str, str]:
        return {row.name: row.sql for row in self.connection.execute(_PRESENT)}

    def _drop(self, name: str) -> None:
        self.connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")

    def _triggers(self, plan: RefreshPlan) -> Iterator[tuple[str, str]]:
        _refuse_functions(plan)
        for way in plan.ways:
            yield _name(way.route), _CommitTrigger(plan, way).sql()


class _CommitTrigger:
    """The trigger that follows the touches of one route."""

    def __init__(self, plan: RefreshPlan, way: Way) -> None:
        self.plan = plan
        self.way = way

    def sql(self) -> str:
        plan = self.plan
        new = self._new.subquery("afterwork_new")
        value = as_kept(new.c.value, plan.member)
        is_fitting = fits(new.c.value, plan.member)
        is_other = differs(plan.bare.c[plan.member.name], value, plan.member)
        same = (plan.bare.c[part.name] == new.c[f"k{n}"] for n, part in enumerate(plan.key))
        is_written = (*same, is_other, is_fitting)
        change = plan.bare.update().where(*is_written).values({plan.member.name: value})
        # A value of another type is not written. Servers see to its object.
        misfit: Select[Any] = select(literal_column("1")).select_from(new).where(~is_fitting)
        is_noted = literal_column("afterwork_touch.rowid") == literal_column("NEW.rowid")
        done = touch.delete().where(is_noted, ~misfit.exists())
        statements = (*self._beside(new, is_written), change, done)
        body = "".join(f"    {self._text(statement)};\n" for statement in statements)
        return (
            f"CREATE TRIGGER {_name(self.way.route)} AFTER INSERT ON afterwork_touch FOR EACH ROW"
            f" WHEN NEW.route = {self.way.route} AND NOT NEW.whole BEGIN\n{body}END"
        )

    def _beside(self, new: Any, is_written: Sequence[ColumnElement[bool]]) -> Iterator[Delete | Insert]:
        """Yield the statements that note what is kept beside the values, before these are written.

        What is known is deleted first: a writer's own conflict clause would override that of an insert.
        """
        plan = self.plan
        if not plan.keeps_last_change:
            return
        key = key_text([new.c[f"k{n}"] for n, _ in enumerate(plan.key)], "sqlite")
        rows = select(route_of(plan.own), key, NOW, route_of(self.way.route)).where(*is_written)
        yield forgotten(plan.own, select(key).where(*is_written))
        yield insert(last_change).from_select(COLUMNS, rows)
        if self.way.route == plan.own:  # whose touches are keys
            values = [NOTED[f"v{n}"] for n, _ in enumerate(plan.key, 1)]
            is_same = (part == value for part, value in zip(plan.key, values, strict=True))
            is_there = select(literal_column("1")).select_from(plan.table).where(*is_same).exists()
            yield forgotten(plan.own, select(key_text(values, "sqlite")).where(~is_there))

    @cached_property
    def _new(self) -> Select[Any]:
        """The query for the keys and values of the objects that the touch leads to.

        With a limit, SQLite computes a value once, and not at each place where it is used.
        """
        plan = self.plan
        roots = self.way.roots(NOTED).distinct().subquery("roots")
        on = and_(*(part == root for part, root in zip(plan.key, roots.c, strict=True)))
        keys = [part.label(f"k{n}") for n, part in enumerate(plan.key)]
        value: Any = plan.value
        return select(*keys, value.label("value")).join_from(plan.table, roots, on).limit(-1)

    def _text(self, statement: ClauseElement) -> str:
        try:
            return as_literal_sql(statement, "sqlite")
        except CompileError as error:
            raise NotAtCommit(self.plan.name, f"it has a value that no trigger can hold: {error}") from None


def _refuse_functions(plan: RefreshPlan) -> None:
    """Raise `NotAtCommit` for functions by which an expression might fail in the transaction of a writer."""
    for element in visitors.iterate(plan.value):
        name = str(getattr(element, "name", "")).lower()
        if isinstance(element, FunctionElement) and name not in HARMLESS:
            why = f"a connection that writes may not have its function {name or element!r}, or it may fail there"
            raise NotAtCommit(plan.name, why)


def _name(route: int) -> str:
    return f"afterwork_commit_{route}"
