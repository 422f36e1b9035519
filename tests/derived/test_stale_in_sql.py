"""A SQL side that can't be used, or that fails for one of many rows: the Python side does it."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, Numeric, func, literal_column, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import NotInSql
from tests.derived.stale_scene import Scene


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Ratio(Base):
    __tablename__ = "ratio"
    id: Mapped[int] = mapped_column(primary_key=True)
    a: Mapped[int]
    b: Mapped[int]
    value: Mapped[int] = mapped_column(default=0)

    @aw.derived(value)
    def compute_value(self) -> int:
        return self.a // self.b

    @compute_value.expression
    def _value_in_sql(cls: Any) -> Any:
        return cls.a // cls.b


@pytest.fixture
def ratios(engine: Engine) -> Scene:
    return Scene(engine, Base, first=five_ratios)


def five_ratios(engine: Engine) -> None:
    """The third of them can't be had."""
    with engine.begin() as connection:
        values = ", ".join(f"({n}, {n * 6}, {n - 3}, 77)" for n in range(1, 6))
        connection.execute(text(f"INSERT INTO ratio VALUES {values}"))


def _values(scene: Scene) -> list[int]:
    return [ratio.value for ratio in scene.all(Ratio)]


def test_one_row_that_can_not_be_calculated_fails_alone(ratios: Scene) -> None:
    ratios.runs()

    assert _values(ratios) == [-3, -12, 77, 24, 15]
    assert ratios.failed(3, "value", Ratio)
    assert ratios.runs() == []
    assert ratios.is_quiet()

    ratios.sql("UPDATE ratio SET b = 2 WHERE id = 3")
    assert ratios.runs() == ["Ratio.value Ratio!3"]
    assert _values(ratios)[2] == 9
    assert ratios.app.verify(ratios.engine).differences == []


def _raises(cls: Any) -> Any:
    raise AttributeError("no such thing")


SIDES: dict[str, tuple[Any, str]] = {
    "a text": (lambda cls: text("a / b"), ""),
    "a piece of text": (lambda cls: literal_column("a / b"), "a / b"),
    "chance": (lambda cls: func.random(), ""),
    "nothing": (lambda cls: None, "None, which is no expression"),
    "a number": (lambda cls: 5, "5, which is no expression"),
    "two columns": (lambda cls: select(cls.a, cls.b), "no scalar select"),
    "it raises": (_raises, "no such thing"),
}


@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_can_not_be_used_is_told_and_python_does_it(
    side: str, ratios: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, said = SIDES[side]
    monkeypatch.setattr(vars(Ratio)["compute_value"], "in_sql", function)

    ratios.runs()

    assert _values(ratios) == [-3, -12, 77, 24, 15]
    assert "ZeroDivisionError" in ratios.failed(3, "value", Ratio)
    told = [event for event in ratios.seen if isinstance(event, NotInSql)]
    assert told
    assert told[0].cache == "Ratio.value"
    assert said in told[0].why


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    share: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))
    shown: Mapped[str] = mapped_column(default="")
    changed: Mapped[int] = mapped_column(default=0, onupdate=1)

    @aw.derived(share)
    def compute_share(self) -> Decimal:
        return self.balance * 3 / 7

    @compute_share.expression
    def _share_in_sql(cls: Any) -> Any:
        return cls.balance * 3 / 7

    @aw.derived(shown)
    def compute_shown(self) -> str:
        return str(self.share)


def test_a_number_is_another_one_only_if_it_is_as_it_is_stored(engine: Engine) -> None:
    scene = Scene(engine, Base)
    with scene.session() as session, session.begin():
        balances = [Decimal("0.10"), Decimal("10.01"), Decimal("33.33")]
        session.add_all(Account(id=n, balance=balance) for n, balance in enumerate(balances, 1))
    scene.runs()
    shares = [Decimal("0.04"), Decimal("4.29"), Decimal("14.28")]
    assert [one.share for one in scene.all(Account)] == shares
    assert [one.shown for one in scene.all(Account)] == list(map(str, shares))

    scene.sql("UPDATE account SET balance = 33.32 WHERE id = 3", "UPDATE account SET balance = 0.09 WHERE id = 1")
    assert sorted(scene.runs()) == ["Account.share Account!1", "Account.share Account!3"]
    assert [one.share for one in scene.all(Account)] == shares
    assert [one.changed for one in scene.all(Account)] == [0, 0, 0]
