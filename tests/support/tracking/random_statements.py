"""Random statements about customers with orders with lines."""

from collections.abc import Callable
from random import Random
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    inspect,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from tests.support.tracking.query_world import KEYS, Customer, Line, Order, Tag


class Statements:
    """Random statements of the kinds that are taken apart."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.kinds: list[Callable[[], Any]] = [
            self.single,
            self.single,
            self.joined,
            self.joined,
            self.joined,
            self.outer,
            self.outer,
            self.related,
            self.related,
            self.scalars,
            self.scalars,
            self.in_select,
            self.grouped_below,
            self.plain_below,
            self.union,
            self.cte,
            self.itself,
            self.meeting_nulls,
            self.meeting_nulls,
        ]

    def any(self) -> Any:
        return self.random.choice(self.kinds)()

    def condition(self, entity: Any) -> ColumnElement[bool]:
        """Return a condition on one class."""
        r = self.random
        kind = _class_of(entity)
        texts: dict[Any, str] = {Customer: "name", Order: "status", Line: "kind", Tag: "name"}
        numbers: dict[Any, list[str]] = {
            Customer: ["id", "level", "sponsor_id"],
            Order: ["id", "customer_id", "amount"],
        }
        number = getattr(entity, r.choice(numbers.get(kind, ["order_id", "quantity"] if kind is Line else ["id"])))
        text = getattr(entity, texts[kind])
        choices: list[Callable[[], ColumnElement[bool]]] = [
            lambda: text == r.choice("abc"),
            lambda: text == r.choice("abc"),
            lambda: number == r.choice(KEYS),
            lambda: number == r.choice(KEYS),
            lambda: number.in_(r.sample(list(KEYS), 2)),
            lambda: text.in_(["a", "b"]),
            lambda: text.is_(None),
            lambda: number > r.choice(KEYS),
            lambda: or_(text == "a", number == r.choice(KEYS)),
            lambda: ~(text == "a"),
            lambda: func.coalesce(text, "c") == "c",
            lambda: and_(text == "a", number != 2),
        ]
        if kind is Order:
            choices += [lambda: entity.is_paid, lambda: ~entity.is_paid, lambda: entity.is_paid.is_(True)]
        return r.choice(choices)()

    def some(self, *entities: Any) -> list[ColumnElement[bool]]:
        return [self.condition(entity) for entity in entities if self.random.random() < 0.6]

    def values(self, *entities: Any) -> list[Any]:
        r = self.random
        columns: list[Any] = []
        for entity in entities:
            kind = _class_of(entity)
            by_kind: dict[Any, list[Any]] = {
                Customer: ["name", "level", "id"],
                Order: ["amount", "status", "id"],
                Line: ["quantity", "kind", "position"],
                Tag: ["name"],
            }
            if r.random() < 0.7 or not columns:
                columns.append(getattr(entity, r.choice(by_kind[kind])))
        return columns

    def finished(self, query: Any, *entities: Any) -> Any:
        """Return a select of values, an aggregate, groups, or objects."""
        r = self.random
        first = entities[0]
        match r.randrange(6):
            case 0:
                return query.with_only_columns(first)
            case 1:
                return query.with_only_columns(func.count())
            case 2:
                columns = self.values(*entities)
                return query.with_only_columns(columns[0], func.count()).group_by(columns[0]).having(func.count() > 1)
            case 3:
                total = self.values(entities[-1])[0]
                return query.with_only_columns(func.max(total), func.count(total))
            case 4:
                return query.with_only_columns(case((self.condition(first), 1), else_=0), *self.values(*entities))
            case _:
                return query.with_only_columns(*self.values(*entities))

    def single(self) -> Any:
        entity: Any = self.random.choice([Customer, Order, Line])
        query = select(entity).where(*self.some(entity, entity))
        if self.random.random() < 0.3:
            keys = [Line.order_id, Line.position] if entity is Line else [entity.id]
            first = [Line.quantity] if entity is Line else [entity.amount] if entity is Order else [Customer.level]
            return query.order_by(*first, *keys).limit(2).with_only_columns(*self.values(entity))
        return self.finished(query, entity)

    def joined(self) -> Any:
        r = self.random
        match r.randrange(5):
            case 0:
                query: Any = select(Customer).join(Customer.orders).where(*self.some(Customer, Order))
                return self.finished(query, Customer, Order)
            case 1:
                query = select(Line).join(Line.order).join(Order.customer)
                return self.finished(query.where(*self.some(Customer, Order, Line)), Line, Order, Customer)
            case 2:
                query = select(Line).where(Line.order_id == Order.id, *self.some(Order, Line))
                return self.finished(query, Order, Line)
            case 3:
                query = select(Order).join(Order.tags).where(*self.some(Order, Tag))
                return self.finished(query, Order, Tag)
            case _:
                query = select(Order).join(Line, and_(Line.order_id == Order.id, Line.quantity > Order.amount))
                return self.finished(query.where(*self.some(Order, Line)), Order, Line)

    def outer(self) -> Any:
        r = self.random
        match r.randrange(4):
            case 0:
                query: Any = select(Customer).outerjoin(Customer.orders).where(*self.some(Customer))
                if r.random() < 0.4:
                    query = query.where(or_(Order.id.is_(None), Order.amount > 2))
                return self.finished(query, Customer, Order)
            case 1:
                on = and_(Order.customer_id == Customer.id, *self.some(Order, Customer))
                query = select(Customer).outerjoin(Order, on).outerjoin(Line, Line.order_id == Order.id)
                return self.finished(query.where(*self.some(Customer, Line)), Customer, Order, Line)
            case 2:
                on = and_(Order.customer_id == Customer.id, exists().where(Line.order_id == Order.id, *self.some(Line)))
                return self.finished(select(Customer).outerjoin(Order, on), Customer, Order)
            case _:
                query = select(Order).outerjoin(Order.customer).join(Line, Line.order_id == Order.id)
                missing = Customer.id.is_(None) if r.random() < 0.5 else Customer.name.is_(None)
                return self.finished(query.where(missing, *self.some(Line)), Order, Line)

    def related(self) -> Any:
        r = self.random
        inner: Any = Order.lines.any(self.condition(Line))
        conditions: list[Callable[[], ColumnElement[bool]]] = [
            lambda: Customer.orders.any(self.condition(Order)),
            lambda: ~Customer.orders.any(self.condition(Order)),
            lambda: Customer.orders.any(and_(self.condition(Order), inner)),
            lambda: Customer.orders.any(~inner),
            lambda: ~Customer.orders.any(inner),
            lambda: or_(Customer.name == "a", Customer.orders.any(inner)),
            lambda: Customer.orders.any(Order.tags.any(self.condition(Tag))),
        ]
        condition = r.choice(conditions)()
        query: Any = select(Customer).where(condition, *self.some(Customer))
        if r.random() < 0.4:
            query = select(Order).where(Order.customer.has(self.condition(Customer)), *self.some(Order))
            return self.finished(query, Order)
        return self.finished(query, Customer)

    def scalars(self) -> Any:
        r = self.random
        total = (
            select(func.coalesce(func.sum(Line.quantity * Order.amount + Customer.level), 0))
            .select_from(Line)
            .join(Order, Line.order_id == Order.id)
            .where(Order.customer_id == Customer.id, *self.some(Order, Line))
            .correlate(Customer)
            .scalar_subquery()
        )
        count = (
            select(func.count(Order.amount))
            .where(Order.customer_id == Customer.id, *self.some(Order))
            .correlate(Customer)
            .scalar_subquery()
        )
        highest = select(func.max(Order.amount)).where(*self.some(Order)).scalar_subquery()
        match r.randrange(4):
            case 0:
                return select(Customer.id, total).where(*self.some(Customer))
            case 1:
                return select(Customer.name).where(r.choice([total, count]) > 1, *self.some(Customer))
            case 2:
                return select(Customer.id, total + count).where(*self.some(Customer))
            case _:
                other = aliased(Order)
                return select(other.id, highest).where(other.amount == highest, *self.some(other))

    def in_select(self) -> Any:
        r = self.random
        inside = select(Order.customer_id).where(*self.some(Order))
        if r.random() < 0.3:
            inside = inside.group_by(Order.customer_id).having(func.count() > 1)
        condition = Customer.id.in_(inside) if r.random() < 0.6 else Customer.id.not_in(inside)
        return self.finished(select(Customer).where(condition, *self.some(Customer)), Customer)

    def grouped_below(self) -> Any:
        r = self.random
        below = select(Order.customer_id, func.sum(Order.amount).label("total")).where(*self.some(Order))
        sub = below.group_by(Order.customer_id).subquery()
        query = select(Customer.name, sub.c.total).join(sub, sub.c.customer_id == Customer.id, isouter=r.random() < 0.5)
        if r.random() < 0.5:
            query = query.where(sub.c.total > 2)
        return query.where(*self.some(Customer))

    def plain_below(self) -> Any:
        below = select(Order.id, Order.customer_id, (Order.amount + 1).label("more")).where(*self.some(Order))
        sub = below.subquery()
        query = select(func.max(sub.c.more)).select_from(sub)
        match self.random.randrange(3):
            case 0:
                return query.where(sub.c.customer_id == 1)
            case 1:
                return query.join(Line, Line.order_id == sub.c.id).where(sub.c.more > 2, *self.some(Line))
            case _:
                other = aliased(Order, sub)
                return select(other.id).where(other.customer_id == 2)

    def union(self) -> Any:
        first = select(Order.id, Order.amount).where(*self.some(Order, Order))
        second = select(Customer.id, Customer.level).where(*self.some(Customer)).join(Customer.orders)
        both = self.random.choice([first.union, first.union_all, first.except_, first.intersect])(second)
        if self.random.random() < 0.5:
            return both
        sub = both.subquery()
        return select(sub.c.amount, Customer.name).join(Customer, Customer.id == sub.c.id).where(sub.c.amount > 1)

    def cte(self) -> Any:
        orders = select(Order.id, Order.customer_id).where(*self.some(Order)).cte()
        again = orders.alias()
        query = select(Line.quantity, literal(1)).join(orders, orders.c.id == Line.order_id)
        return query.join(again, again.c.customer_id == orders.c.customer_id).where(*self.some(Line))

    def meeting_nulls(self) -> Any:
        """Columns that meet also where both are null."""
        r = self.random
        if r.random() < 0.5:
            met = Order.customer_id.is_not_distinct_from(Customer.sponsor_id)
            query: Any = select(Order).join(Customer, met, isouter=r.random() < 0.5)
            return self.finished(query.where(*self.some(Order, Customer)), Order, Customer)
        other = aliased(Customer)
        query = select(Customer).join(other, other.level.is_not_distinct_from(Customer.level))
        return query.where(*self.some(Customer)).with_only_columns(Customer.id, other.sponsor_id)

    def itself(self) -> Any:
        sponsor = aliased(Customer)
        query = select(Customer).join(sponsor, Customer.sponsor_id == sponsor.id)
        if self.random.random() < 0.5:
            below = select(func.count()).where(Order.customer_id == sponsor.id, *self.some(Order))
            return query.where(*self.some(sponsor)).with_only_columns(Customer.name, below.scalar_subquery())
        return self.finished(query.where(*self.some(Customer, sponsor)), Customer, sponsor)


def _class_of(entity: Any) -> Any:
    return entity if isinstance(entity, type) else inspect(entity).class_
