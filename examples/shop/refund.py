"""Jobs that take arguments. Run it: python examples/shop/refund.py"""

import sys
import tempfile
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from decimal import Decimal

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadArguments


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Reason(Enum):
    BROKEN = "it was broken"
    LATE = "it came too late"


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    paid: Mapped[Decimal]

    @aw.method
    def refund(self, amount: Decimal, reason: Reason, *, to: Account, token: Annotated[str, aw.Secret] = "") -> None:
        self.paid -= amount
        print(f"  {amount} goes back to {to.owner}, since {reason.value}")


app = aw.Afterwork(Base)


@app.job
def close_books(day: date) -> None:
    orders = aw.session().scalars(select(Order)).all()
    print(f"  the books of {day} are closed: {sum(order.paid for order in orders):.2f} in {len(orders)} order")


def tell(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        order, account = Order(paid=Decimal("40.00")), Account(owner="Ann")  # the account is saved with the ticket
        session.add(order)
        ticket = aw.later(order.refund.given(Decimal("12.50"), Reason.BROKEN, to=account, token="a6f1"))
        aw.later(close_books.given(date(2027, 1, 31)), session=session)
        try:
            order.refund.given(12.5, Reason.LATE, to=account)  # type: ignore[arg-type]  # pyright: ignore
        except BadArguments as error:
            print(f"Refused at the call: {error}")
        session.flush()
        key = ticket.id
    print(f"The ticket asks for {app.insight(engine).ticket(str(key)).call}")
    app.run_until_idle(engine)
    engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tell(Path(folder) / "shop.db")
