"""A model whose works return something, so that somebody may wait for it."""

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw


class Base(aw.Model["SysAsyncTicket"], DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


@dataclass(frozen=True)
class Receipt:
    amount: Decimal
    token: Annotated[str, aw.Secret] = ""


class NoStock(Exception):
    """Stands for a failure of a job."""


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]

    @aw.method
    def assign_number(self) -> int:
        self.number = self.id * 10
        return self.number

    @aw.method(external=True)
    def charge(self, amount: Decimal) -> Receipt:
        return Receipt(amount, "s3cret")

    @aw.method
    def copy(self) -> "Order":
        made = Order()
        aw.session(self).add(made)
        return made

    @aw.method
    def vanish(self) -> "Order":
        return Order()  # which nobody saves

    @aw.method
    def odd(self) -> int:
        return object()  # type: ignore[return-value]

    @aw.method
    def plain(self, what: Any = None) -> Any:
        return what

    @aw.method
    def nothing(self) -> None:
        self.number = 0

    @aw.method
    def fail(self) -> int:
        raise NoStock("nothing is left\nnot one")

    @aw.method
    def counted(self) -> int:
        return self.id

    @counted.many
    @staticmethod
    def count_many(orders: "list[Order]") -> list[int]:
        return [order.id + 1000 for order in orders]

    @aw.method(external=True)
    def slow(self) -> int:
        time.sleep(0.2)
        return self.id


class Pack(aw.ViewModel[Order], root=Order):
    ready: bool = aw.variable(True)

    @aw.action
    def look(self) -> str:
        return "looked"

    @aw.action(enabled=lambda self: self.ready)
    def pack(self) -> Decimal:
        return Decimal("1.50")


app = aw.Afterwork(Base)


@app.job
def double(number: int) -> int:
    return 2 * number
