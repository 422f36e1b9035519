"""A decimal is stored with as many digits as its column has, and is not another one each time."""

from decimal import Decimal

import pytest
from sqlalchemy import Engine, Numeric
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.derived.stale_scene import Scene
from tests.support.world import statements


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 3))
    note: Mapped[str] = mapped_column(default="")
    rate: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))

    @aw.derived(rate)
    def compute_rate(self) -> Decimal:
        return self.amount + len(self.note) * Decimal("0.0001")


@pytest.mark.parametrize(
    ("amount", "stored"),
    [("1.005", "1.01"), ("-1.005", "-1.01"), ("1.004", "1.00"), ("2.675", "2.68"), ("0.125", "0.13"), ("7", "7.00")],
)
def test_it_is_rounded_as_postgresql_does_on_both_databases(engine: Engine, amount: str, stored: str) -> None:
    scene = Scene(engine, Base)
    with scene.session() as session, session.begin():
        session.add(Loan(id=1, amount=Decimal(amount)))

    scene.runs()

    assert [loan.rate for loan in scene.all(Loan)] == [Decimal(stored)]


def test_a_value_that_is_the_same_once_it_is_rounded_is_not_written(engine: Engine) -> None:
    scene = Scene(engine, Base, settings=aw.Settings())
    with scene.session() as session, session.begin():
        session.add(Loan(id=1, amount=Decimal("1.111")))
    scene.runs()
    scene.sql("UPDATE loan SET note = 'abc' WHERE id = 1")

    with statements(engine) as sent:
        assert scene.runs() == ["Loan.rate Loan!1"]

    assert [one for one in sent if one.startswith("UPDATE loan")] == []
    assert [loan.rate for loan in scene.all(Loan)] == [Decimal("1.11")]


def test_a_number_that_the_column_can_not_hold_is_told(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite holds numbers of any size")
    scene = Scene(engine, Base)
    with scene.session() as session, session.begin():
        session.add(Loan(id=1, amount=Decimal("9999999.999"), note="x" * 10))
    scene.sql("ALTER TABLE loan ALTER COLUMN rate TYPE numeric(8, 2)")
    scene.runs()

    assert "overflow" in scene.failed(1, "rate", Loan)
