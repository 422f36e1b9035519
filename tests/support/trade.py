"""A model with calculated members, three levels deep, with a diamond, a link table and a tree."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Engine, ForeignKey, Numeric, String, Table, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from afterwork.model.utc_datetime import UtcDateTime


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


liked = Table(
    "liked",
    Base.metadata,
    Column("customer_id", ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True),
    Column("product_id", ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
)


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(1))


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    note: Mapped[str | None]
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0))
    share: Mapped[float] = mapped_column(default=0.0)
    likes: Mapped[str] = mapped_column(default="")
    overdue: Mapped[bool] = mapped_column(default=False)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.id")
    liked: Mapped[list[Product]] = relationship(secondary=liked, order_by=Product.id)
    badges: Mapped[list["Badge"]] = relationship(cascade="all, delete-orphan", order_by="Badge.id")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        return sum((order.total for order in self.orders), Decimal(0))

    @aw.derived(share)
    def compute_share(self) -> float:
        """A diamond: of the total and of the orders that the total is made of."""
        most = max((order.total for order in self.orders), default=Decimal(0))
        return float(most / self.total) if self.total else 0.0

    @aw.derived(likes)
    def compute_likes(self) -> str:
        return ", ".join(product.name for product in self.liked)

    @aw.derived(overdue)
    def compute_overdue(self) -> bool:
        return any(order.due is not None and aw.passed(order.due) for order in self.orders)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id", ondelete="SET NULL"))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=Decimal(0))
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    lines: Mapped[list["Line"]] = relationship(back_populates="order", cascade="all, delete-orphan", order_by="Line.id")

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        lines = select(func.coalesce(func.sum(Line.quantity * Line.price), 0)).where(Line.order_id == cls.id)
        return lines.limit(1).scalar_subquery()  # which keeps it with a manifest


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"))
    quantity: Mapped[int] = mapped_column(default=1)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(1))
    remark: Mapped[str | None]
    order: Mapped[Order] = relationship(back_populates="lines")


class Badge(Base):
    """What customers get who have bought much."""

    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"))


class Badging(aw.ViewModel[Customer]):
    """A customer has one badge for each hundred of his total."""

    when = aw.WhenStale()

    @aw.action
    def badge(self) -> None:
        wanted = int(self.root.total // 100)
        badges = self.root.badges
        while len(badges) < wanted:
            badges.append(Badge())
        while len(badges) > wanted:
            badges.pop()


class Node(Base):
    """A tree: each total is made of those below."""

    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    own: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    children: Mapped[list["Node"]] = relationship(order_by="Node.id")

    @aw.derived(total)
    def compute_total(self) -> int:
        return self.own + sum(child.total for child in self.children)


def create(engine: Engine) -> None:
    """The application's tables, as its own migrations would make them."""
    Base.metadata.create_all(engine)
