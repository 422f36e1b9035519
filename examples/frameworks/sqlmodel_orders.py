"""SQLModel: its classes have methods, derived values and machines, and the ticket class is one line as ever.

pydantic asks what each attribute of a class is. `ignored_types` tells it which are Afterwork's.
"""

from sqlmodel import Field, Relationship, SQLModel
from statemachine import State, StateChart

import afterwork as aw


class Base(SQLModel):
    model_config = {"ignored_types": aw.DECLARATIONS}


class SysAsyncTicket(aw.AsyncTicket, Base, table=True):
    pass


class OrderFlow(StateChart["Order"]):
    cart, paid = State(initial=True), State(final=True)
    cart.to(paid, cond="is_covered")


class Order(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    customer: str
    total: int = 0
    paid: int = 0
    confirmed: bool = False
    state: str | None = None
    lines: list["Line"] = Relationship(back_populates="order")
    flow = aw.machine(OrderFlow, state="state")

    @property
    def is_covered(self) -> bool:
        return 0 < self.total <= self.paid

    @aw.derived("total")  # by its name: a Field is no column yet
    def compute_total(self) -> int:
        return sum(line.amount for line in self.lines)

    @aw.method
    def confirm(self) -> None:
        self.confirmed = True


class Line(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    order_id: int | None = Field(default=None, foreign_key="order.id", index=True)
    amount: int
    order: Order | None = Relationship(back_populates="lines")


class OrderShown(SQLModel):
    """What the API shows of an order."""

    customer: str
    total: int


work = aw.Afterwork(Base)
