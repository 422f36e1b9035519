"""The two applications, in all their releases: each is a model that fits a layout of the tables."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, Numeric, select
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship
from sqlalchemy.types import TypeEngine

import afterwork as aw
from tests.properties.installation.layout import Layout

TYPES: tuple[TypeEngine[Any], ...] = (Integer(), BigInteger(), Numeric(12, 2))

CACHES = {
    "shop": frozenset({"total", "label", "notes", "count", "sum"}),
    "billing": frozenset({"due", "who"}),
}
"""The calculated columns of each application. A release may have fewer."""


@dataclass(frozen=True)
class Release:
    """What is deployed of an application: a layout that it fits, which calculated columns it has, and whether it has
    orders watched and parts of orders mapped."""

    application: str
    layout: Layout
    caches: frozenset[str]
    watches_orders: bool = True
    maps_parts: bool = False

    @property
    def base(self) -> Any:
        """The base of its model."""
        return _shop(self) if self.application == "shop" else _billing(self)

    def fits(self, layout: Layout) -> bool:
        """Whether all that it needs is there."""
        mine, other = self.layout, layout
        same = (mine.customers, mine.orders, mine.amount, mine.kind) == (
            other.customers,
            other.orders,
            other.amount,
            other.kind,
        )
        return (
            same
            and mine.type == other.type
            and mine.has_note <= other.has_note
            and (not self.maps_parts or mine.parts <= other.parts)
        )


def _order(release: Release, base: Any) -> Any:
    """A class for the orders."""
    layout = release.layout

    class Order:
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        year: Mapped[int] = mapped_column(primary_key=layout.kind == "partitioned")
        customer_id: Mapped[int | None] = mapped_column()
        amount: Mapped[Any] = mapped_column(layout.amount, TYPES[layout.type])
        if layout.has_note:
            note: Mapped[str | None] = mapped_column()

    info = {} if release.watches_orders else aw.UNWATCHED
    made = {"__tablename__": layout.name, "__table_args__": {"schema": layout.schema, "info": info}}
    if release.maps_parts:
        for year in sorted(layout.parts):
            type(f"OrderOf{year}", (Order, base), {"__tablename__": layout.part(year)})
    return type("Order", (Order, base), made)


@cache
def _shop(release: Release) -> Any:
    """Customers, of whom is calculated what they have ordered: by a relationship, by a query, in sets and at commit."""
    layout = release.layout

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    order = _order(release, Base)

    class Customer(Base):
        __tablename__ = layout.customers
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        name: Mapped[str] = mapped_column(default="c")
        total: Mapped[str | None] = mapped_column()
        label: Mapped[str | None] = mapped_column()
        count: Mapped[int | None] = mapped_column()
        sum: Mapped[Decimal | None] = mapped_column(Numeric)
        orders: Mapped[list[Any]] = relationship(
            order, primaryjoin=lambda: foreign(order.customer_id) == Customer.id, order_by=order.id, viewonly=True
        )

        if "total" in release.caches:

            @aw.derived(total)
            def compute_total(self) -> str:
                return " ".join(f"{one.id}:{one.amount}" for one in self.orders)

        if "label" in release.caches:

            @aw.derived(label)
            def compute_label(self) -> str:
                return f"{self.name} {self.total}"

        if "count" in release.caches:
            count_orders = aw.derived(count)(aw.ocl("self.orders->size"))

        if "sum" in release.caches:
            sum_orders = aw.derived(sum, at="commit")(aw.ocl("self.orders.amount->sum"))

        if layout.has_note:
            notes: Mapped[str | None] = mapped_column()

            if "notes" in release.caches:

                @aw.derived(notes)
                def compute_notes(self) -> str:
                    mine = select(order.id, order.note).where(order.customer_id == self.id).order_by(order.id)
                    return " ".join(f"{id}:{note}" for id, note in aw.session(self).execute(mine))

    Base.classes = (SysAsyncTicket, order, Customer)
    return Base


@cache
def _billing(release: Release) -> Any:
    """Bills, of which is calculated what is due and who pays. It knows less of the shop's tables than the shop does."""
    layout = release.layout

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        __tablename__ = "ticket_of_billing"

    order = _order(release, Base)

    class Payer(Base):
        __tablename__ = layout.customers
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        name: Mapped[str] = mapped_column()

    class Bill(Base):
        __tablename__ = "bill"
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        customer_id: Mapped[int] = mapped_column(ForeignKey(Payer.id))
        due: Mapped[str | None] = mapped_column()
        who: Mapped[str | None] = mapped_column()
        payer: Mapped[Payer | None] = relationship()

        if "due" in release.caches:

            @aw.derived(due)
            def compute_due(self) -> str:
                mine = select(order).where(order.customer_id == self.customer_id, order.amount > 3).order_by(order.id)
                return " ".join(f"{bill.id}:{bill.amount}" for bill in aw.session(self).scalars(mine))

        if "who" in release.caches:

            @aw.derived(who)
            def compute_who(self) -> str:
                return "nobody" if self.payer is None else self.payer.name

    Base.classes = (SysAsyncTicket, order, Payer, Bill)
    return Base
