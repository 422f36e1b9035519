"""Values in sets run in the order of their priorities, and none of them waits for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.derived.compute import refresher
from afterwork.derived.compute.refresher import Refresher
from afterwork.sources.derived import source
from afterwork.store.postgresql.refresh import PostgreSQLRefresh
from afterwork.store.sqlite.refresh import SQLiteRefresh
from tests.inversion.scene import Market
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Good(Base):
    """The names of members are in no order of urgency."""

    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
    late: Mapped[int] = mapped_column(default=0, server_default="0")
    soon: Mapped[int] = mapped_column(default=0, server_default="0")
    first: Mapped[int] = mapped_column(default=0, server_default="0")
    feeder: Mapped[int] = mapped_column(default=0, server_default="0")

    @aw.derived(late)
    def compute_late(self) -> int:
        raise NotImplementedError

    @aw.derived(soon, priority=2)
    def compute_soon(self) -> int:
        raise NotImplementedError

    @aw.derived(first, priority=1)
    def compute_first(self) -> int:
        raise NotImplementedError

    @aw.derived(feeder)
    def compute_feeder(self) -> int:
        raise NotImplementedError

    @compute_late.expression
    def _late(cls: Any) -> Any:
        return _pieces(cls)

    @compute_soon.expression
    def _soon(cls: Any) -> Any:
        return _pieces(cls)

    @compute_first.expression
    def _first(cls: Any) -> Any:
        return cls.feeder + 1

    @compute_feeder.expression
    def _feeder(cls: Any) -> Any:
        return _pieces(cls)


class Move(Base):
    __tablename__ = "move"
    id: Mapped[int] = mapped_column(primary_key=True)
    good_id: Mapped[int] = mapped_column(index=True)
    pieces: Mapped[int] = mapped_column(default=1)


def _pieces(cls: Any) -> Any:
    return select(func.coalesce(func.sum(Move.pieces), 0)).where(Move.good_id == cls.id).scalar_subquery()


ORDER = ["Good.feeder", "Good.first", "Good.soon", "Good.late"]
"""The order of urgency, which a feeder has from those that it feeds."""


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    app = installed(engine, Base, clock=aw.ManualClock())
    with engine.begin() as connection:
        connection.execute(insert(Good), [{"id": n} for n in range(1, 7)])
        connection.execute(insert(Move), [{"id": n, "good_id": n} for n in range(1, 7)])
    app.run_until_idle(engine)
    return app


def works(app: aw.Afterwork, engine: Engine) -> list[str]:
    return [ended.run.work for ended in app.run_until_idle(engine)]


def move(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Move).values(pieces=Move.pieces + 1))


def in_sets_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    for kind in (PostgreSQLRefresh, SQLiteRefresh):
        monkeypatch.setattr(kind, "max_objects", size)


def test_urgent_ones_run_first_and_feeders_before_those_that_they_feed(app: aw.Afterwork, engine: Engine) -> None:
    move(engine)

    assert list(dict.fromkeys(works(app, engine))) == ORDER


def test_what_does_not_fit_into_one_set_waits_until_more_urgent_ones_are_done(
    app: aw.Afterwork, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_sets_of(monkeypatch, 2)
    move(engine)

    ran = works(app, engine)
    assert len(ran) == 4 * 6
    urgent = [work for work in ran if work in ("Good.feeder", "Good.first")]
    assert ran[: len(urgent)] == urgent, "neither of the others before both are done"
    assert ran[len(urgent) :] == ["Good.soon"] * 6 + ["Good.late"] * 6


def test_less_urgent_ones_have_a_turn_though_urgent_ones_never_end(
    app: aw.Afterwork, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_sets_of(monkeypatch, 2)
    for module in (refresher, source):
        monkeypatch.setattr(module, "TURNS", 3)
    _after_each_step(monkeypatch, lambda: move(engine), times=8)
    move(engine)

    ran = works(app, engine)
    assert ran.index("Good.late") < len(ran) - 1 - ran[::-1].index("Good.first")
    app.run_until_idle(engine)


def _after_each_step(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], times: int) -> None:
    """Have somebody act after each of the first steps of a server."""
    refresh = Refresher.refresh
    left = iter(range(times))

    def refresh_and_act(own: Refresher, connection: Any, turn: int = 0) -> Any:
        step = refresh(own, connection, turn)
        if next(left, None) is not None:
            act()
        return step

    monkeypatch.setattr(Refresher, "refresh", refresh_and_act)


def test_a_value_is_computed_once_though_what_it_is_made_of_needs_several_sets(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.fill(customers=3, orders=3, lines=2)
    in_sets_of(monkeypatch, 2)
    market.sql("UPDATE line SET price = price + 1")

    ran = market.run()
    assert len(ran) == len(set(ran))
    assert sum(name.startswith("Order.total") for name in ran) == 3 * 3
    assert "Region.turnover Region!1" in ran
