"""Work that waits for other work: a join, a chain, and a fan-out. Run it: python examples/shop/flow.py"""

import sys
import tempfile
from pathlib import Path

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "customer_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    is_packed: Mapped[bool] = mapped_column(default=False)

    @aw.method(lane="warehouse")
    def pack(self) -> None:
        self.is_packed = True
        print(f"  order {self.id} is packed")

    @aw.method(lane="office")
    def bill(self) -> None:
        if not self.address:
            raise ValueError("nobody knows the address")
        print(f"  order {self.id} is billed")

    @aw.method
    def ship(self) -> None:
        print(f"  order {self.id} is shipped to {self.address}")

    @aw.method
    def write_to(self) -> None:
        """Write the customer a letter."""

    @aw.method
    def thank(self) -> None:
        print(f"  order {self.id}: thank you")


class Campaign(Base):
    __tablename__ = "campaign"
    id: Mapped[int] = mapped_column(primary_key=True)
    letters: Mapped[int] = mapped_column(default=0)

    @aw.method
    def finish(self) -> None:
        self.letters = aw.session(self).scalar(select(func.count()).select_from(Order)) or 0
        print(f"  all {self.letters:,} letters are written")


app = aw.Afterwork(Base)


def tell(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    app.install(engine)

    with Session(engine) as session, session.begin():
        order = Order(address="1 Main Street")
        session.add(order)
        shipped = aw.after([aw.later(order.pack), aw.later(order.bill)], order.ship)
        aw.after([shipped], order.thank)
        print("Shipping waits until the order is packed and billed:")
    app.run_until_idle(engine)

    with Session(engine) as session, session.begin():
        order = Order(address="")
        session.add(order)
        *_, last = aw.chain(order.pack, order.bill, order.ship)
        session.flush()
        key = str(last.id)
        print("A chain ends where something fails:")
    app.run_until_idle(engine)
    print(f"  order 2 is not shipped. {app.insight(engine).ticket(key).ticket.error}")

    with Session(engine) as session, session.begin():
        campaign, orders = Campaign(), [Order(address=f"{number} High Street") for number in range(998)]
        session.add_all([campaign, *orders])
        aw.after(aw.later_many(order.write_to for order in orders), campaign.finish)
        print("A thousand letters, and one that waits for all of them:")
    app.run_until_idle(engine)
    engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tell(Path(folder) / "shop.db")
