"""Values that the same changes touch in the same way: a trigger finds what has changed once for all of them."""

from typing import Any

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.inversion.scene import rows_of
from tests.support.marks import ONLY_POSTGRESQL


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Coin(Base):
    __tablename__ = "coin"
    id: Mapped[int] = mapped_column(primary_key=True)
    pot_id: Mapped[int] = mapped_column(index=True)
    value: Mapped[int] = mapped_column()
    minted: Mapped[int] = mapped_column(default=0)


def _of_coins(cls: Any) -> Any:
    return select(func.coalesce(func.sum(Coin.value), 0)).where(Coin.pot_id == cls.id).scalar_subquery()


class Pot(Base):
    """Two totals that read the same, and one that reads something else."""

    __tablename__ = "pot"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    again: Mapped[int] = mapped_column(default=0, server_default="0")
    oldest: Mapped[int | None] = mapped_column()

    @aw.derived(total)
    def compute_total(self) -> int:
        raise NotImplementedError

    @aw.derived(again)
    def compute_again(self) -> int:
        raise NotImplementedError

    @aw.derived(oldest)
    def compute_oldest(self) -> int:
        raise NotImplementedError

    compute_total.expression(_of_coins)
    compute_again.expression(_of_coins)

    @compute_oldest.expression
    def _oldest(cls: Any) -> Any:
        return select(func.min(Coin.minted)).where(Coin.pot_id == cls.id).scalar_subquery()


def pots(engine: Engine) -> aw.Afterwork:
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(insert(rows_of(Pot)), [{"id": 1}, {"id": 2}])
        connection.execute(
            insert(rows_of(Coin)), [{"id": n, "pot_id": 1, "value": 1, "minted": n} for n in range(1, 9)]
        )
    app.run_until_idle(engine)
    return app


def totals(engine: Engine) -> list[tuple[int | None, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(select(Pot.total, Pot.again, Pot.oldest).order_by(Pot.id))
        return [tuple(row) for row in rows]


def test_each_of_them_becomes_right(engine: Engine) -> None:
    app = pots(engine)
    with engine.begin() as connection:
        connection.execute(update(rows_of(Coin)).where(Coin.id > 6).values(pot_id=2, value=5))
    ran = sorted(ended.run.work for ended in app.run_until_idle(engine))
    assert totals(engine) == [(6, 6, 1), (10, 10, 7)]
    assert ran == [work for work in ("Pot.again", "Pot.oldest", "Pot.total") for _ in range(2)]


def test_a_change_that_only_one_reads_touches_only_that(engine: Engine) -> None:
    app = pots(engine)
    with engine.begin() as connection:
        connection.execute(update(rows_of(Coin)).where(Coin.id == 3).values(minted=0))
    assert [ended.run.work for ended in app.run_until_idle(engine)] == ["Pot.oldest"]


@ONLY_POSTGRESQL
def test_the_rows_before_and_after_are_compared_once_for_all_of_them(engine: Engine) -> None:
    pots(engine)
    source = text(
        "SELECT prosrc FROM pg_proc JOIN pg_trigger t ON t.tgfoid = pg_proc.oid WHERE tgrelid = 'coin'::regclass"
    )
    with engine.connect() as connection:
        body = str(connection.execute(source).scalars().first())
    compared = body.partition("TG_OP = 'UPDATE'")[2].partition("ELSIF")[0]
    images_and_ways = 2 * 2
    assert compared.count("NOT o.") + compared.count("NOT n.") == images_and_ways
