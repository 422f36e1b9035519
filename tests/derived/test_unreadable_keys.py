"""An object whose key can't be read is left out of its timer's round and told; all others match."""

from datetime import date
from typing import Any

from sqlalchemy import Engine, Select, Text, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import Failed, RoundFailed
from tests.support.world import World

ODD_DAYS = {
    "postgresql": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'12000-01-01'"],
    "sqlite": ["'tomorrow'", "17", "x'ff'", "CAST(x'ff' AS TEXT)"],
}
ODD_NAMES = {"postgresql": [], "sqlite": ["CAST(x'ff' AS TEXT)", "CAST(x'66ff' AS TEXT)"]}


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Day(Base):
    __tablename__ = "day"
    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    n: Mapped[int] = mapped_column(default=0)


class Joined(Base):
    __tablename__ = "joined"
    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(Text)


class Plain(aw.ViewModel, root=Day):
    when = aw.Every(minutes=1, criteria=select(Day).order_by(Day.name))

    @aw.action
    def count(self) -> None:
        self.root.n += 1


class Twice(aw.ViewModel, root=Day):
    when = aw.Every(minutes=1, criteria=select(Day).join(Joined, Joined.day != Day.name), max_answers=50)

    @aw.action
    def count(self) -> None:
        self.root.n += 100


def test_the_rest_of_the_round_goes_on(engine: Engine) -> None:
    world, kind = World(engine, Base), engine.dialect.name
    rows = [(f"'2026-01-{day:02}'", f"'{chr(96 + day)}'") for day in range(1, 21)]
    odd = [(day, f"'m{number}'") for number, day in enumerate(ODD_DAYS[kind])]
    odd += [("'2026-02-01'", name) for name in ODD_NAMES[kind]]
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO joined (day) VALUES ('x'), ('y')")
        for day, name in rows + odd:
            connection.exec_driver_sql(f"INSERT INTO day (day, name, n) VALUES ({day}, {name}, 0)")

    world.run()

    with engine.connect() as connection:
        ran = connection.execute(text("SELECT n, count(*) FROM day GROUP BY n ORDER BY n")).all()
    assert list(map(tuple, ran)) == [(0, len(odd)), (101, len(rows))]
    failed = [event for event in world.seen if isinstance(event, Failed)]
    assert len({(event.work, event.root_id) for event in failed}) == 2 * len(odd)
    assert all("can't be read" in event.error for event in failed)
    assert not any(isinstance(event, RoundFailed) for event in world.seen)


def test_a_criteria_that_fails_itself_fails_as_before(engine: Engine) -> None:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)

    def broken(thing: Any) -> Select[Any]:
        return select(Thing).where(text("no_such_column = 1"))

    class Fails(aw.ViewModel, root=Thing):
        when = aw.Every(minutes=1, criteria=broken)

        @aw.action
        def never(self) -> None: ...

    world = World(engine, Base)
    world.run()
    assert any(isinstance(event, RoundFailed) for event in world.seen)
