"""Collections and objects as parts of a SELECT."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Exists, Select, and_, false, func, inspect, literal, or_, select
from sqlalchemy.orm import Mapper, RelationshipProperty, aliased, join
from sqlalchemy.sql.elements import False_
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.types import TypeEngine

from afterwork.compat.sqlalchemy_conditions import typed_condition
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.typed.members import AssociationEnd
from afterwork.language.typed.types import BOOLEAN, Type


@dataclass(frozen=True, slots=True)
class Term:
    """One value. `column_type` is the type of its column. It is `encoded` where the database holds something other than
    the value, and `calculated` where it is neither a column nor a parameter."""

    column: SqlColumn
    type: Type
    nullable: bool = True
    column_type: TypeEngine[Any] | None = None
    encoded: bool = False
    calculated: bool = True
    known_null: bool = False


def boolean(condition: SqlColumn) -> Term:
    """Return a condition, which is never null, as a value."""
    return Term(typed_condition(condition), BOOLEAN, False)


@dataclass(slots=True)
class RowSource:
    """A class whose rows are selected, with everything joined to it."""

    from_clause: Any
    aliases: list[Any]
    joined: dict[tuple[int, str], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, alias: Any) -> "RowSource":
        return cls(alias, [alias])

    def join(self, alias: Any, end: AssociationEnd, *, outer: bool) -> Any:
        """Return the objects at an association end, joined once however often they are mentioned."""
        path = (id(alias), end.key)
        if path not in self.joined:
            target: Any = aliased(end.cls)
            self.from_clause = join(self.from_clause, target, getattr(alias, end.key).of_type(target), isouter=outer)
            self.aliases.append(target)
            self.joined[path] = target
        return self.joined[path]


@dataclass(frozen=True, slots=True)
class Entity:
    """One object: a row of `source`. If it was `picked` from rows, it is one row of a SELECT of its own."""

    alias: Any
    cls: type
    source: RowSource
    nullable: bool = False
    picked: "RowSet | None" = None

    def column(self, column: SqlColumn) -> SqlColumn:
        """Return a column of the object, or of an object joined to it."""
        return column if self.picked is None else self.picked.select(column).limit(1).scalar_subquery()

    def follow(self, end: AssociationEnd) -> "Entity":
        """Return the object at an association end with one or none."""
        target = self.source.join(self.alias, end, outer=True)
        return Entity(target, end.cls, self.source, True, self.picked)


@dataclass(frozen=True, slots=True)
class KnownObject:
    """A known object, or null."""

    value: Any


@dataclass(slots=True)
class RowSet:
    """A collection. Expressions about its elements may join more to its sources.

    `order` is None where the collection has no meaningful one. `kind` is the kind of collection.
    """

    element: Entity | Term
    sources: list[RowSource]
    kind: str
    where: list[SqlColumn] = field(default_factory=list)
    order: list[SqlColumn] | None = None
    limit: int | None = None
    offset: int | None = None
    distinct: bool = False

    @property
    def limited(self) -> bool:
        """True for a section of another collection."""
        return self.limit is not None or self.offset is not None

    def columns(self) -> list[Any]:
        """Return what a SELECT of the elements selects: objects, or values."""
        return [self.element.alias] if isinstance(self.element, Entity) else [self.element.column]

    def select(self, *columns: Any, inner: bool = True, ordered: bool = True) -> Select[Any]:
        """Return a SELECT of columns. An inner one stands within another and sees its rows."""
        sources = [source.from_clause for source in self.sources]
        statement = select(*columns).select_from(*sources).where(*map(_combinable, self.where))
        if ordered and self.order:
            statement = statement.order_by(*self.order)
        if self.distinct:
            statement = statement.order_by(None).distinct()
        statement = statement.limit(self.limit).offset(self.offset)
        aliases = [alias for source in self.sources for alias in source.aliases]
        return statement.correlate_except(*aliases) if inner else statement

    def exists(self, *conditions: SqlColumn) -> Exists:
        """Return the condition that a row meets all these conditions."""
        return self.select(literal(1), ordered=self.limited).where(*map(_combinable, conditions)).exists()

    def aggregate(self, aggregate: SqlColumn) -> SqlColumn:
        return self.select(aggregate, ordered=False).order_by(None).scalar_subquery()

    def apart(self, column: SqlColumn) -> "tuple[RowSet, SqlColumn]":
        """Return the values of a column as rows to aggregate.

        SQL takes an aggregate of a column of an outer row for one of all outer rows, so a value or object of an outer
        row is selected first.
        """
        if any(source.aliases for source in self.sources):
            return self, column
        inside = self.select(column.label("value")).subquery()
        return RowSet(self.element, [RowSource(inside, [])], self.kind), inside.c.value

    def count(self) -> SqlColumn:
        if not self.limited and not self.distinct:
            return self.aggregate(func.count())
        inside = self.select(*([literal(1).label("one")] if self.limited else self.columns())).subquery()
        return select(func.count()).select_from(inside).scalar_subquery()


def keys(alias: Any, cls: type) -> list[SqlColumn]:
    """Return the columns of an alias that are its class's primary key."""
    mapper: Mapper[Any] = inspect(cls)
    return [getattr(alias, mapper.get_property_by_column(column).key) for column in mapper.primary_key]


def same_object(left: Entity, right: Entity) -> SqlColumn:
    """Return the condition that two objects are the same; null where one is null."""
    pairs = zip(keys(left.alias, left.cls), keys(right.alias, right.cls), strict=True)
    return and_(*[left.column(left_key) == right.column(right_key) for left_key, right_key in pairs])


def is_object(entity: Entity, value: Any) -> SqlColumn:
    """Return the condition that an object is a known one."""
    identity = inspect(value).mapper.primary_key_from_instance(value)
    columns = keys(entity.alias, entity.cls)
    if len(identity) != len(columns) or None in identity:
        return false()
    return and_(*[entity.column(column) == part for column, part in zip(columns, identity, strict=True)])


def all_rows(cls: type, kind: str = "Set") -> RowSet:
    """Return all objects of a class, by key."""
    alias: Any = aliased(cls)
    source = RowSource.of(alias)
    return RowSet(Entity(alias, cls, source), [source], kind, order=list(keys(alias, cls)))


def known_rows(cls: type, objects: list[Any], kind: str) -> RowSet:
    rows = all_rows(cls, kind)
    assert isinstance(rows.element, Entity)
    element = rows.element
    rows.where.append(or_(false(), *[is_object(element, obj) for obj in objects]))
    rows.order = None
    return rows


def association_rows(near: Entity, end: AssociationEnd, kind: str) -> RowSet:
    """Return the objects at an association end with many."""
    prop: RelationshipProperty[Any] = inspect(near.cls).relationships[end.key]
    alias: Any = aliased(end.cls)
    if _joined_by_foreign_keys(prop):
        source, where = RowSource.of(alias), _links(near, alias, prop)
    else:  # through the near object once more, which is right for each way to join
        again: Any = aliased(near.cls)
        source = RowSource.of(again)
        source.from_clause = join(again, alias, getattr(again, end.key).of_type(alias))
        source.aliases.append(alias)
        where = [same_object(Entity(again, near.cls, source), near)]
    return RowSet(Entity(alias, end.cls, source), [source], kind, where, _order(alias, end, prop))


def _joined_by_foreign_keys(prop: RelationshipProperty[Any]) -> bool:
    """Return whether foreign keys alone join an association end, without a table between."""
    joined = prop.primaryjoin
    clauses = list(joined.clauses) if hasattr(joined, "clauses") else [joined]
    equal = all(getattr(getattr(clause, "operator", None), "__name__", "") == "eq" for clause in clauses)
    return prop.secondary is None and equal and len(clauses) == len(prop.local_remote_pairs or ())


def _links(near: Entity, alias: Any, prop: RelationshipProperty[Any]) -> list[SqlColumn]:
    near_mapper: Mapper[Any] = inspect(near.cls)
    far_mapper: Mapper[Any] = prop.mapper
    return [
        getattr(alias, far_mapper.get_property_by_column(remote).key)
        == near.column(getattr(near.alias, near_mapper.get_property_by_column(local).key))
        for local, remote in prop.local_remote_pairs or ()
    ]


def _order(alias: Any, end: AssociationEnd, prop: RelationshipProperty[Any]) -> list[SqlColumn]:
    """Return the declared order of an association end, with the key last."""
    adapter = ClauseAdapter(inspect(alias).selectable)
    declared = [adapter.traverse(column) for column in prop.order_by or ()]
    return [*declared, *keys(alias, end.cls)]


def _combinable(condition: SqlColumn) -> SqlColumn:
    """Return a condition to combine with others. With one that is always false, SQLAlchemy would drop the others, and
    then warn that nothing joins the tables any more."""
    return literal(1) == literal(0) if isinstance(condition, False_) else condition
