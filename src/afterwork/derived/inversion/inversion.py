"""Inversions: which derived members are refreshed by their expressions alone, and why the others are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import Over
from sqlalchemy.types import CHAR, Boolean, Date, DateTime, Enum, Float, Integer, Numeric, String, TypeDecorator, Uuid

from afterwork.boundary import CONTAINED
from afterwork.compat.sqlalchemy_statements import is_limited
from afterwork.derived.inversion.route import CannotInvert, Route, RouteFinder
from afterwork.derived.tracking.query.set_based import SetBasedExpression
from afterwork.errors import shown
from afterwork.model.derivation import Derivation, MemberDerivation
from afterwork.store.dialects import touch_values_of
from afterwork.store.journal.route_spec import RouteSpec
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables

ON_BOTH = (Integer, Float, Numeric, Boolean, String)
"""The types of columns that take the value of an expression as it is, on each database."""

ON_POSTGRESQL = (*ON_BOTH, Uuid, Date, DateTime)

ACCEPTED: Mapping[type, tuple[type, ...]] = {Numeric: (Numeric, Float, Integer), Float: (Float, Numeric, Integer)}
"""The types of expressions that fit a column of a type, where they are others than its own."""


@dataclass(frozen=True, eq=False)
class Inversion:
    """A derived member with the routes from changed rows back to its objects. `column` is what it writes."""

    declared: MemberDerivation
    table: TrackedTable
    expression: ColumnElement[Any]
    routes: tuple[Route, ...]

    @property
    def name(self) -> str:
        """The name of the derivation."""
        return self.declared.name

    @cached_property
    def specs(self) -> tuple[RouteSpec, ...]:
        """The routes as the triggers know them, in the order of `routes`; the last is for overwritten values."""
        key = tuple(column.name for column in self.table.key)
        roots = self.table.table.fullname
        ways = [
            RouteSpec(
                self.name,
                route.table.table.fullname,
                "own" if route.is_own else "back",
                route.columns,
                tuple(sorted(route.counting)),
                self.is_at_commit,
            )
            for route in self.routes
        ]
        written = (self.declared.column.name,)
        return (*ways, RouteSpec(self.name, roots, "overwritten", key, written, self.is_at_commit))

    @property
    def is_at_commit(self) -> bool:
        """Return whether the value is computed by the transaction that changes what it is made of."""
        return self.declared.derived.is_at_commit

    def reads(self, column: Column[Any]) -> bool:
        """Return whether the expression reads a column."""
        return any(route.table.table is column.table and column.name in route.counting for route in self.routes)

    def is_fed_by(self, other: "Inversion") -> bool:
        """Return whether the expression reads what another one writes."""
        return self.reads(other.declared.column)


@dataclass(frozen=True)
class Inverter:
    """Inverts the derivations of a model. `refuse` may return a reason against what can be inverted."""

    tables: TrackedTables
    dialect: Dialect
    refuse: Callable[[Inversion], str | None] = lambda inversion: None

    def invert(self, derivations: Iterable[Derivation]) -> Mapping[str, Inversion | str]:
        """Return the inversion of each derived member with a SQL side, by name, or the reason why it has none."""
        members = [derivation for derivation in derivations if isinstance(derivation, MemberDerivation)]
        results = {member.name: result for member in members if (result := self._invert(member)) is not None}
        self._leave_out(members, results)
        for name, result in list(results.items()):
            if isinstance(result, Inversion):
                results[name] = self.refuse(result) or result
        self._leave_out(members, results)
        return results

    def _leave_out(self, members: Iterable[MemberDerivation], results: dict[str, Inversion | str]) -> None:
        """Leave out what reads others that are left out."""
        while reasons := dict(self._fed_otherwise(members, results)):
            results |= reasons

    def _invert(self, member: MemberDerivation) -> Inversion | str | None:
        try:
            with CONTAINED:
                sql_side = member.sql_side
                if sql_side is None:
                    return None
                return self._inversion(member, sql_side())
        except CannotInvert as error:
            return str(error)
        except Exception as error:  # of the application's own function
            return f"{type(error).__name__}: {error}"

    def _inversion(self, member: MemberDerivation, expression: Any) -> Inversion:
        if not isinstance(expression, ColumnElement) and not hasattr(expression, "__clause_element__"):
            raise CannotInvert(f"it is {shown(expression)}, which is no expression and no scalar select")
        table = self.tables.of(member.root.local_table)
        if table is None:
            raise CannotInvert(f"{member.root.class_.__name__} has no captured table")
        self._check(member, table, expression)
        set_based = SetBasedExpression(member.root, expression, self.tables, self.dialect)
        if set_based.reason is not None:
            raise CannotInvert(set_based.reason)
        flat = set_based.flat
        routes = tuple(RouteFinder(flat, flat.table_refs[0], touch_values_of(self.dialect)).routes())
        return Inversion(member, table, expression, routes)

    def _check(self, member: MemberDerivation, table: TrackedTable, expression: Any) -> None:
        """Raise `CannotInvert` for what a single statement must not write, or can't."""
        mapper, column = member.root, member.column
        if member.overrides:
            raise CannotInvert(f"{', '.join(member.overrides)} calculates it by a function of its own")
        if mapper.inherits is not None or mapper.polymorphic_on is not None:
            raise CannotInvert(f"{_name(member)} shares its table, or its objects, with other classes")
        if not table.key:
            raise CannotInvert(f"{table.table.fullname} has no primary key")
        if member.when.allow_oldness > timedelta(0):
            raise CannotInvert("it may be old for a while, so that the last run of each object has to be known")
        if column.table is not table.table:
            raise CannotInvert("its column is in another table")
        for element in visitors.iterate(expression):
            if isinstance(element, Over):
                raise CannotInvert("it has a window function")
            if is_limited(element):
                raise CannotInvert("it has a LIMIT")
        self._check_key(member, table)
        known = ON_BOTH if self.dialect.name == "sqlite" else ON_POSTGRESQL
        of_column, of_value = column.type, expression.type
        is_other = isinstance(of_column, TypeDecorator | Enum | CHAR) or isinstance(of_value, TypeDecorator | Enum)
        kind = next((type_ for type_ in known if isinstance(of_column, type_)), None)
        if is_other or kind is None or of_column._has_bind_expression:
            raise CannotInvert(f"its column is of the type {of_column!r}, which converts what it is given")
        accepted = ACCEPTED.get(kind, (kind,))
        if not isinstance(of_value, accepted):
            raise CannotInvert(f"its expression is of the type {of_value!r}, and its column of the type {of_column!r}")
        if getattr(of_column, "timezone", None) != getattr(of_value, "timezone", None):
            raise CannotInvert("its expression and its column disagree about time zones")

    def _check_key(self, member: MemberDerivation, table: TrackedTable) -> None:
        """Raise `CannotInvert` for keys by which Python may not find a row that the database has."""
        is_uuid = self.dialect.name == "postgresql" and all(
            isinstance(column.type, Uuid) and table.forms[column.name].name == "uuid" for column in table.key
        )
        if not table.has_certain_key and not is_uuid:
            raise CannotInvert(f"the key of {_name(member)} is of a type that Python may write in another way")

    def _fed_otherwise(
        self, members: Iterable[MemberDerivation], results: Mapping[str, Inversion | str]
    ) -> Iterator[tuple[str, str]]:
        """Yield the members that read what is calculated in another way, or themselves, each with the reason."""
        inversions = [result for result in results.values() if isinstance(result, Inversion)]
        for inversion in inversions:
            if _feeds_itself(inversion, inversions):
                yield inversion.name, "it is made from itself, on other objects"
                continue
            for member in members:
                if inversion.reads(member.column) and not isinstance(results.get(member.name), Inversion):
                    yield inversion.name, f"it reads {member.name}, which is not refreshed in sets itself"
                    break


def _feeds_itself(start: Inversion, inversions: Iterable[Inversion]) -> bool:
    known = list(inversions)
    todo, seen = [start], set[str]()
    while todo:
        reader = todo.pop()
        for feeder in known:
            if reader.is_fed_by(feeder):
                if feeder is start:
                    return True
                if feeder.name not in seen:
                    seen.add(feeder.name)
                    todo.append(feeder)
    return False


def _name(member: MemberDerivation) -> str:
    return member.root.class_.__name__
