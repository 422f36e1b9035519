"""What is made of the state of a machine is made once it has moved; a machine may move by what is made of its state."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.prepared import open_with

COUNT = 60

FEW = 4
"""So many runs of each cache may be in vain before it is known what they read."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    cart = State(initial=True)
    paid, sent = State(), State(final=True)
    cart.to(paid, cond="is_paid")
    paid.to(sent, cond="is_labelled")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int]
    address: Mapped[str | None]
    a_title: Mapped[str | None] = mapped_column()
    label: Mapped[str | None] = mapped_column()
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    @property
    def is_paid(self) -> bool:
        return self.price % 2 == 0

    @property
    def is_labelled(self) -> bool:
        return self.address is not None and self.label == f"paid {self.address}"

    @aw.derived(a_title)
    def compute_title(self) -> str:
        return f"{self.state} for {self.price}"

    @aw.derived(label)
    def compute_label(self) -> str | None:
        return None if self.address is None or self.state == "sent" else f"{self.state} {self.address}"


def fill(engine: Engine, address: str | None) -> None:
    rows = [{"id": n, "price": n, "address": address} for n in range(1, COUNT + 1)]
    with engine.begin() as connection:
        add = "INSERT INTO orders (id, price, address, state) VALUES (:id, :price, :address, 'cart')"
        connection.execute(text(add), rows)


def runs(app: aw.Afterwork, engine: Engine) -> Counter[str]:
    return Counter(ended.run.work.removeprefix("Order.") for ended in app.run_until_idle(engine))


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    open_with(engine, Base, Base.metadata.create_all)
    return aw.Afterwork(Base, clock=aw.ManualClock())


def test_machines_move_before_what_is_made_of_their_states(engine: Engine, app: aw.Afterwork) -> None:
    fill(engine, None)
    app.install(engine)

    found = runs(app, engine)

    assert found["flow"] == COUNT
    assert COUNT <= found["a_title"] <= COUNT + FEW
    assert app.verify(engine).differences == []


def test_a_machine_that_moves_by_what_is_made_of_its_state_arrives(engine: Engine, app: aw.Afterwork) -> None:
    fill(engine, "Rome")
    app.install(engine)

    runs(app, engine)

    with engine.connect() as connection:
        rows = connection.execute(text("SELECT state, label FROM orders"))
        states = Counter((row.state, row.label) for row in rows)
    assert states == {("sent", None): COUNT // 2, ("cart", "cart Rome"): COUNT // 2}
    assert app.verify(engine).differences == []
    failed = [cache.failed.number for cache in app.insight(engine).caches()]
    assert failed == [0, 0, 0]
