"""A row that can't be read is the trouble of the caches that read it, and of no others. It is told, and when the row is
mended, they are right again."""

import enum
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import pytest
from sqlalchemy import JSON, DateTime, Engine, Enum, ForeignKey, Integer, PickleType, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

import afterwork as aw
from tests.derived.stale_scene import Scene


class Shade(enum.Enum):
    LIGHT = 1
    DARK = 2


class Picky(TypeDecorator[str]):
    """Refuses to read one text."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        if value == "bad":
            raise RuntimeError("this is not to be read")
        return value


@dataclass(frozen=True)
class Case:
    """A column's type, and as SQL a value that can be read and one that can't."""

    kind: Any
    good: str
    bad: str


BOTH: dict[str, Case] = {
    "unknown value of an enumeration": Case(
        Enum(Shade, native_enum=False, create_constraint=False), "'LIGHT'", "'HUGE'"
    ),
    "a type that raises": Case(Picky(), "'good'", "'bad'"),
}
SQLITE = {
    "no UTF-8": Case(Text(), "'good'", "CAST(x'ff41' AS TEXT)"),
    "no JSON": Case(JSON(), "'[1]'", "'[1'"),
    "no moment": Case(DateTime(), "'2026-01-01 00:00:00.000000'", "'soon'"),
    "a broken pickle": Case(PickleType(), "x'80044b012e'", "x'80'"),
    "no UUID": Case(Uuid(), "'00000000000000000000000000000001'", "'zero'"),
}
POSTGRESQL = {
    "infinity": Case(DateTime(), "'2026-01-01'", "'infinity'"),
    "before Christ": Case(DateTime(), "'2026-01-01'", "'0044-03-15 BC'"),
    "after Python's time": Case(DateTime(), "'2026-01-01'", "'12345-01-01'"),
    "a broken pickle": Case(PickleType(), r"'\x80044b012e'", r"'\x80'"),
    "refused by the database": Case(Integer(), "1", "0"),
}
CASES = {"sqlite": BOTH | SQLITE, "postgresql": BOTH | POSTGRESQL}


@cache
def model(case: Case) -> Any:
    """Shops with offers. A shop has a label of its own, and counts its offers."""

    class Base(DeclarativeBase):
        kept: ClassVar[list[Any]]

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Shop(Base):
        __tablename__ = "shop"
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int] = mapped_column(default=1)
        odd: Mapped[Any] = mapped_column(case.kind, nullable=True)
        twice: Mapped[int | None] = mapped_column()
        sold: Mapped[int | None] = mapped_column()
        best: Mapped[int | None] = mapped_column()
        offers: Mapped[list["Offer"]] = relationship(order_by="Offer.id")
        tickets = SysAsyncTicket

        @aw.derived(twice)
        def compute_twice(self) -> int:
            return self.n * 2

        @aw.derived(sold)
        def compute_sold(self) -> int:
            return self.n * sum(offer.n for offer in self.offers)

    class Offer(Base):
        __tablename__ = "offer"
        id: Mapped[int] = mapped_column(primary_key=True)
        shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
        n: Mapped[int] = mapped_column(default=1)
        odd: Mapped[Any] = mapped_column(case.kind, nullable=True)

    if isinstance(case.kind, Integer):  # one by nought is refused
        for cls in (Shop, Offer):
            cls.part = column_property(1 / cls.__table__.c.odd)
    Base.kept = [Shop, Offer]  # a registry does not hold its classes
    return Base


def scene_of(engine: Engine, case: Case) -> Scene:
    def five_shops(engine: Engine) -> None:
        with engine.begin() as connection:
            for number in NUMBERS:
                connection.exec_driver_sql(f"INSERT INTO shop (id, n, odd) VALUES ({number}, 1, {case.good})")
                offer = f"({number}, {number}, 1, {case.good})"
                connection.exec_driver_sql(f"INSERT INTO offer (id, shop_id, n, odd) VALUES {offer}")
        aw.Afterwork(model(case)).run_until_idle(engine)

    scene = Scene(engine, model(case), first=five_shops)
    assert everything(scene) == dict.fromkeys(NUMBERS, (2, 1))
    return scene


NUMBERS = range(1, 6)


def everything(scene: Scene) -> dict[int, tuple[int, int]]:
    with scene.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, twice, sold FROM shop ORDER BY id").all()
    return {row[0]: (row[1], row[2]) for row in rows}


def failed(scene: Scene, name: str) -> list[str]:
    """The shops whose caches have failed, as the command line and the page show them."""
    return [one.root_id for one in scene.app.insight(scene.engine).caches_of(name, "failed").items]


EACH = pytest.mark.parametrize(
    ("url", "case"),
    [pytest.param(url, case, id=f"{url}-{name}") for url, cases in CASES.items() for name, case in cases.items()],
    indirect=["url"],
)


@EACH
def test_a_root_that_can_not_be_read_fails_alone(engine: Engine, case: Case) -> None:
    scene = scene_of(engine, case)

    scene.sql(f"UPDATE shop SET n = 10, odd = CASE id WHEN 2 THEN {case.bad} ELSE odd END")
    scene.run()

    right = dict.fromkeys((1, 3, 4, 5), (20, 10))
    assert everything(scene) == {**right, 2: (2, 1)}
    assert failed(scene, "Shop.twice") == failed(scene, "Shop.sold") == ["Shop!2"]
    assert scene.is_quiet()
    assert not scene.app.verify(engine).differences
    scene.sql("UPDATE shop SET n = 11 WHERE id <> 2")  # as small changes at once, too
    scene.run()
    assert everything(scene) == {number: (2, 1) if number == 2 else (22, 11) for number in range(1, 6)}
    scene.sql(f"UPDATE shop SET odd = {case.good} WHERE id = 2")
    scene.run()
    assert everything(scene)[2] == (20, 10)
    assert not failed(scene, "Shop.twice")
    assert not failed(scene, "Shop.sold")


@EACH
def test_a_related_row_that_can_not_be_read_fails_only_who_reads_it(engine: Engine, case: Case) -> None:
    scene = scene_of(engine, case)

    scene.sql(
        f"UPDATE offer SET odd = {case.bad} WHERE id = 2",
        "UPDATE shop SET n = 10",
        "UPDATE offer SET n = 3",
    )
    scene.run()

    assert everything(scene) == {number: (20, 1 if number == 2 else 30) for number in range(1, 6)}
    assert failed(scene, "Shop.sold") == ["Shop!2"]
    assert not failed(scene, "Shop.twice")
    assert scene.is_quiet()
    scene.sql("UPDATE offer SET n = 4 WHERE id = 3")
    assert scene.runs() == ["Shop.sold Shop!3"]  # what has failed waits for its own offers
    scene.sql(f"UPDATE offer SET odd = {case.good} WHERE id = 2")
    scene.run()
    assert everything(scene)[2] == (20, 30)
    assert not failed(scene, "Shop.sold")
