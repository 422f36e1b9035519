"""Collections as what a SELECT is made of."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Exists, Select, and_, false, func, inspect, literal, or_, select
from sqlalchemy.orm import Mapper, RelationshipProperty, aliased, join
from sqlalchemy.sql.elements import False_
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.types import TypeEngine

from afterwork.language.typed.members import AssociationEnd
from afterwork.language.typed.types import Type

Column = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Term:
    """One value. `kept_as` is the type of its column. It is `encoded` where the database holds something else than the
    value, and `calculated` where it is neither a column nor a parameter."""

    column: Column
    type: Type
    nullable: bool = True
    column_type: TypeEngine[Any] | None = None
    encoded: bool = False
    calculated: bool = True
    known_null: bool = False


@dataclass(slots=True)
class RowSource:
    """A class that rows are taken from, and what is joined to it."""

    source: Any
    aliases: list[Any]
    joined: dict[tuple[int, str], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, alias: Any) -> "RowSource":
        """The rows of one class."""
        return cls(alias, [alias])

    def join(self, alias: Any, end: AssociationEnd, *, outer: bool) -> Any:
        """The objects at the other end, joined once however often they are asked for."""
        place = (id(alias), end.key)
        if place not in self.joined:
            target: Any = aliased(end.cls)
            self.source = join(self.source, target, getattr(alias, end.key).of_type(target), isouter=outer)
            self.aliases.append(target)
            self.joined[place] = target
        return self.joined[place]


@dataclass(frozen=True, slots=True)
class Entity:
    """One object: a row of `root`. Of those that were `picked` from, it is one row of a SELECT of its own."""

    alias: Any
    cls: type
    root: RowSource
    nullable: bool = False
    picked: "RowSet | None" = None

    def column(self, column: Column) -> Column:
        """A column of it, or of what is joined to it."""
        return column if self.picked is None else self.picked.select(column).limit(1).scalar_subquery()

    def follow(self, end: AssociationEnd) -> "Entity":
        """The object at an end that has one or none."""
        target = self.root.join(self.alias, end, outer=True)
        return Entity(target, end.cls, self.root, True, self.picked)


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object that is known beforehand, or null."""

    value: Any


@dataclass(slots=True)
class RowSet:
    """A collection. What is asked of its elements may join more to its roots.

    `order` is None where it has none that means something. `kind` is that of the collection.
    """

    element: Entity | Term
    roots: list[RowSource]
    kind: str
    where: list[Column] = field(default_factory=list)
    order: list[Column] | None = None
    limit: int | None = None
    offset: int | None = None
    distinct: bool = False

    @property
    def limited(self) -> bool:
        """Whether it is a section of something."""
        return self.limit is not None or self.offset is not None

    def columns(self) -> list[Any]:
        """What is selected: the objects, or the values."""
        return [self.element.alias] if isinstance(self.element, Entity) else [self.element.column]

    def select(self, *columns: Any, inner: bool = True, ordered: bool = True) -> Select[Any]:
        """The SELECT of columns. An inner one stands within another and sees the rows of that."""
        statement = select(*columns).select_from(*[root.source for root in self.roots]).where(*map(_kept, self.where))
        if ordered and self.order:
            statement = statement.order_by(*self.order)
        if self.distinct:
            statement = statement.order_by(None).distinct()
        statement = statement.limit(self.limit).offset(self.offset)
        return (
            statement.correlate_except(*[alias for root in self.roots for alias in root.aliases])
            if inner
            else statement
        )

    def exists(self, *conditions: Column) -> Exists:
        """Whether a row meets conditions."""
        plain = self.select(literal(1), ordered=self.limited).where(*map(_kept, conditions))
        return plain.exists()

    def aggregate(self, aggregate: Column) -> Column:
        """A value made of all rows."""
        return self.select(aggregate, ordered=False).order_by(None).scalar_subquery()

    @property
    def is_beside_outer(self) -> bool:
        """Return whether it has no rows of its own, but one value or object of an outer row."""
        return not any(root.aliases for root in self.roots)

    def apart(self, column: Column) -> "tuple[RowSet, Column]":
        """Return the values of a column as rows to aggregate. SQL takes an aggregate of an outer row's column for one
        of all outer rows."""
        if not self.is_beside_outer:
            return self, column
        inside = self.select(column.label("value")).subquery()
        return RowSet(self.element, [RowSource(inside, [])], self.kind), inside.c.value

    def count(self) -> Column:
        """How many rows there are."""
        if not self.limited and not self.distinct:
            return self.aggregate(func.count())
        inside = self.select(*([literal(1).label("one")] if self.limited else self.columns())).subquery()
        return select(func.count()).select_from(inside).scalar_subquery()


def keys(alias: Any, cls: type) -> list[Column]:
    """The columns of an alias that are its class's primary key."""
    mapper: Mapper[Any] = inspect(cls)
    return [getattr(alias, mapper.get_property_by_column(column).key) for column in mapper.primary_key]


def same_object(one: Entity, other: Entity) -> Column:
    """Whether two objects are the same. Null where one is null."""
    pairs = zip(keys(one.alias, one.cls), keys(other.alias, other.cls), strict=True)
    return and_(*[one.column(left) == other.column(right) for left, right in pairs])


def is_object(one: Entity, value: Any) -> Column:
    """Whether an object is one that is known."""
    identity = inspect(value).mapper.primary_key_from_instance(value)
    columns = keys(one.alias, one.cls)
    if len(identity) != len(columns) or None in identity:
        return false()
    return and_(*[one.column(column) == part for column, part in zip(columns, identity, strict=True)])


def all_rows(cls: type, kind: str = "Set") -> RowSet:
    """All objects of a class, by key."""
    alias: Any = aliased(cls)
    root = RowSource.of(alias)
    return RowSet(Entity(alias, cls, root), [root], kind, order=list(keys(alias, cls)))


def known_rows(cls: type, objects: list[Any], kind: str) -> RowSet:
    """Objects that are known beforehand."""
    rows = all_rows(cls, kind)
    assert isinstance(rows.element, Entity)
    element = rows.element
    rows.where.append(or_(false(), *[is_object(element, one) for one in objects]))
    rows.order = None
    return rows


def association_rows(near: Entity, end: AssociationEnd, kind: str) -> RowSet:
    """The objects at an end that has many."""
    prop: RelationshipProperty[Any] = inspect(near.cls).relationships[end.key]
    alias: Any = aliased(end.cls)
    if _plain(prop):
        root, where = RowSource.of(alias), _links(near, alias, prop)
    else:  # through the near object once more: right for each way to join
        again: Any = aliased(near.cls)
        root = RowSource.of(again)
        root.source = join(again, alias, getattr(again, end.key).of_type(alias))
        root.aliases.append(alias)
        where = [same_object(Entity(again, near.cls, root), near)]
    return RowSet(Entity(alias, end.cls, root), [root], kind, where, _order(alias, end, prop))


def _plain(prop: RelationshipProperty[Any]) -> bool:
    """Whether an end is joined by foreign keys alone, without a table between."""
    joined = prop.primaryjoin
    clauses = list(joined.clauses) if hasattr(joined, "clauses") else [joined]
    equal = all(getattr(getattr(clause, "operator", None), "__name__", "") == "eq" for clause in clauses)
    return prop.secondary is None and equal and len(clauses) == len(prop.local_remote_pairs or ())


def _links(near: Entity, alias: Any, prop: RelationshipProperty[Any]) -> list[Column]:
    here: Mapper[Any] = inspect(near.cls)
    there: Mapper[Any] = prop.mapper
    return [
        getattr(alias, there.get_property_by_column(remote).key)
        == near.column(getattr(near.alias, here.get_property_by_column(local).key))
        for local, remote in prop.local_remote_pairs or ()
    ]


def _order(alias: Any, end: AssociationEnd, prop: RelationshipProperty[Any]) -> list[Column]:
    """As the end says, and then by key."""
    adapter = ClauseAdapter(inspect(alias).selectable)
    said = [adapter.traverse(column) for column in prop.order_by or ()]
    return [*said, *keys(alias, end.cls)]


def _kept(condition: Column) -> Column:
    """A condition beside others. Beside one that is always false, SQLAlchemy would drop the others, and then warn that
    nothing joins the tables any more."""
    return literal(1) == literal(0) if isinstance(condition, False_) else condition
