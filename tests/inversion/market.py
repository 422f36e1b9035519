"""A market whose derived members are said as queries, of each kind that can be inverted.

It has no foreign keys, so that rows may point at nothing."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, and_, case, exists, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Region(Base):
    __tablename__ = "region"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")
    turnover: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")

    @aw.derived(turnover)
    def compute_turnover(self) -> Decimal:
        raise NotImplementedError

    @compute_turnover.expression
    def _turnover(cls: Any) -> Any:
        """Chain: made of what others calculate."""
        of_region = select(func.coalesce(func.sum(Order.total), 0)).join(Customer, Customer.id == Order.customer_id)
        return of_region.where(Customer.region_id == cls.id).scalar_subquery()


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")
    region_id: Mapped[int | None] = mapped_column(index=True)
    open_total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")
    orders: Mapped[int] = mapped_column(default=0, server_default="0")
    empty_orders: Mapped[int] = mapped_column(default=0, server_default="0")
    is_big: Mapped[bool] = mapped_column(default=False, server_default="0")
    has_none: Mapped[bool] = mapped_column(default=False, server_default="0")
    label: Mapped[str | None] = mapped_column()
    dearest: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    kinds: Mapped[int] = mapped_column(default=0, server_default="0")
    above: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(open_total)
    def compute_open_total(self) -> Decimal:
        raise NotImplementedError

    @compute_open_total.expression
    def _open_total(cls: Any) -> Any:
        """Filters: on the way, and on the row."""
        lines = select(func.coalesce(func.sum(Line.quantity * Line.price), 0)).join(Order, Line.order_id == Order.id)
        counts = Order.status == "open", Line.cancelled.is_(False), Line.quantity > 1
        return lines.where(Order.customer_id == cls.id, *counts).scalar_subquery()

    @aw.derived(orders)
    def compute_orders(self) -> int:
        raise NotImplementedError

    @compute_orders.expression
    def _orders(cls: Any) -> Any:
        return select(func.count(Order.id)).where(Order.customer_id == cls.id).scalar_subquery()

    @aw.derived(empty_orders)
    def compute_empty_orders(self) -> int:
        raise NotImplementedError

    @compute_empty_orders.expression
    def _empty_orders(cls: Any) -> Any:
        """An outer join of which the rows count that it doesn't find."""
        joined = select(func.count(Order.id)).outerjoin(Line, and_(Line.order_id == Order.id, Line.quantity > 1))
        return joined.where(Order.customer_id == cls.id, Line.id.is_(None)).scalar_subquery()

    @aw.derived(is_big)
    def compute_is_big(self) -> bool:
        raise NotImplementedError

    @compute_is_big.expression
    def _is_big(cls: Any) -> Any:
        large = select(Line.id).join(Order, Order.id == Line.order_id).where(Line.quantity > 7)
        return large.where(Order.customer_id == cls.id).exists()

    @aw.derived(has_none)
    def compute_has_none(self) -> bool:
        raise NotImplementedError

    @compute_has_none.expression
    def _has_none(cls: Any) -> Any:
        """NOT EXISTS within EXISTS: an order of which no line is large."""
        large = exists().where(Line.order_id == Order.id, Line.quantity > 4)
        return exists().where(Order.customer_id == cls.id, ~large)

    @aw.derived(label)
    def compute_label(self) -> str:
        raise NotImplementedError

    @compute_label.expression
    def _label(cls: Any) -> Any:
        """The row itself, and another one that it points at."""
        region = select(Region.name).where(Region.id == cls.region_id).scalar_subquery()
        return cls.name + "/" + func.coalesce(region, "-")

    @aw.derived(dearest)
    def compute_dearest(self) -> Decimal:
        raise NotImplementedError

    @compute_dearest.expression
    def _dearest(cls: Any) -> Any:
        """IN with a subquery, and a subquery in the list of columns."""
        own = select(Order.id).where(Order.customer_id == cls.id).correlate(cls)
        return select(func.max(Line.price)).where(Line.order_id.in_(own)).scalar_subquery()

    @aw.derived(kinds)
    def compute_kinds(self) -> int:
        raise NotImplementedError

    @compute_kinds.expression
    def _kinds(cls: Any) -> Any:
        """Two ways on from one table, and one table twice."""
        other = aliased(Order)
        both = select(func.count(func.distinct(Product.kind))).join(Line, Line.product_id == Product.id)
        both = both.join(Order, Order.id == Line.order_id).join(other, other.id == Order.follows_id, isouter=True)
        counts = case((other.status == "open", True), else_=Order.status == "open")
        return both.where(Order.customer_id == cls.id, counts).scalar_subquery()

    @aw.derived(above)
    def compute_above(self) -> int:
        raise NotImplementedError

    @compute_above.expression
    def _above(cls: Any) -> Any:
        """What others calculate: of the object itself, within a subquery, and of the rows there."""
        counted = select(func.count(Order.id)).where(Order.customer_id == cls.id, Order.total > cls.orders)
        return counted.scalar_subquery()


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(index=True)
    follows_id: Mapped[int | None] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(default="open")
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0), server_default="0")
    followers: Mapped[int] = mapped_column(default=0, server_default="0")
    before: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        raise NotImplementedError

    @compute_total.expression
    def _total(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.quantity * Line.price), 0))
        return lines.where(Line.order_id == cls.id).scalar_subquery()

    @aw.derived(followers)
    def compute_followers(self) -> int:
        raise NotImplementedError

    @compute_followers.expression
    def _followers(cls: Any) -> Any:
        other = aliased(Order)
        return select(func.count(other.id)).where(other.follows_id == cls.id).scalar_subquery()

    @aw.derived(before)
    def compute_before(self) -> Decimal | None:
        raise NotImplementedError

    @compute_before.expression
    def _before(cls: Any) -> Any:
        """What another row of the same table has that is calculated."""
        other = aliased(Order)
        return select(other.total + 1).where(other.id == cls.follows_id).scalar_subquery()


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="a")
    sold: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(sold)
    def compute_sold(self) -> int:
        raise NotImplementedError

    @compute_sold.expression
    def _sold(cls: Any) -> Any:
        return select(func.coalesce(func.sum(Line.quantity), 0)).where(Line.product_id == cls.id).scalar_subquery()


class Line(Base):
    __tablename__ = "line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(index=True)
    product_id: Mapped[int | None] = mapped_column(index=True)
    quantity: Mapped[int] = mapped_column(default=1)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(1))
    cancelled: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None] = mapped_column()


app = aw.Afterwork(Base)
