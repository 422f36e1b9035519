"""What is made of rows that a view model creates is made once, though nobody says what the view model writes."""

from collections import Counter

from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import open_with

COUNT = 60

FEW = 4
"""So many runs of each cache may be in vain before it is known what they read and write."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    """`a_notes` is made of notes that nobody has written yet, and of a value of theirs."""

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_notes: Mapped[str | None] = mapped_column()
    b_states: Mapped[str | None] = mapped_column()
    orders: Mapped[list["Order"]] = relationship(order_by="Order.id")

    @aw.derived(a_notes)
    def compute_notes(self) -> str:
        return ", ".join(note.title or "" for order in self.orders for note in order.notes)

    @aw.derived(b_states)
    def compute_states(self) -> str:
        return ", ".join(order.state for order in self.orders)


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    state: Mapped[str] = mapped_column(default="new", server_default="new")
    notes: Mapped[list["Note"]] = relationship(order_by="Note.id")


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    title: Mapped[str | None] = mapped_column()

    @aw.derived(title)
    def compute_title(self) -> str:
        return f"note on {self.order_id}"


class NoteOrder(aw.ViewModel, root=Order):
    when = aw.WhenStale()

    @aw.action
    def note(self) -> None:
        if not self.root.notes:
            self.root.notes.append(Note())
            self.root.state = "noted"


def runs(app: aw.Afterwork, engine: Engine) -> Counter[str]:
    return Counter(ended.run.work for ended in app.run_until_idle(engine))


def orders(engine: Engine, first: int, last: int) -> None:
    with engine.begin() as connection:
        for number in range(first, last + 1):
            connection.execute(text(f"INSERT INTO customer (id) VALUES ({number})"))
            for order in (2 * number, 2 * number + 1):
                connection.execute(text(f"INSERT INTO orders (id, customer_id) VALUES ({order}, {number})"))


def test_what_view_models_write_is_there_before_others_read_it(engine: Engine) -> None:
    app = aw.Afterwork(Base)
    open_with(engine, Base, Base.metadata.create_all)
    orders(engine, 1, COUNT)
    app.install(engine)

    ran = runs(app, engine)

    assert (ran["NoteOrder"], ran["Note.title"]) == (2 * COUNT, 2 * COUNT)
    assert COUNT <= ran["Customer.a_notes"] <= COUNT + FEW
    assert COUNT <= ran["Customer.b_states"] <= COUNT + FEW
    with engine.connect() as connection:
        made = connection.execute(text("SELECT a_notes, b_states FROM customer WHERE id = 1")).one()
    assert tuple(made) == ("note on 2, note on 3", "noted, noted")
    assert app.verify(engine).differences == []
