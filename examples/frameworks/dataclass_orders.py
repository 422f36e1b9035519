"""MappedAsDataclass: classes are dataclasses, and the ticket class is one line as ever."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw


class Base(MappedAsDataclass, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base, init=False):  # its constructor is that of its mixin
    pass


class OrderFlow(StateChart["Order"]):
    cart, paid = State(initial=True), State(final=True)
    cart.to(paid, cond="is_covered")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    customer: Mapped[str]
    total: Mapped[int] = mapped_column(default=0, init=False)  # nobody gives it: it is made
    paid: Mapped[int] = mapped_column(default=0)
    confirmed: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str | None] = mapped_column(default=None, init=False)
    lines: Mapped[list["Line"]] = relationship(default_factory=list)
    flow = aw.machine(OrderFlow, state=state)

    @property
    def is_covered(self) -> bool:
        return 0 < self.total <= self.paid

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(line.amount for line in self.lines)

    @aw.method
    def confirm(self) -> None:
        self.confirmed = True


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True, init=False)
    amount: Mapped[int]


work = aw.Afterwork(Base)
