"""What others write into a derived column need not be readable: a text that is no JSON, a member that the enumeration
doesn't have. The column becomes right all the same, since nobody has to read what is replaced."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, Date, DateTime, Engine, Enum, Integer, PickleType, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

import afterwork as aw
from tests.support.prepared import installed


class Shade(enum.Enum):
    LIGHT = 1
    DARK = 2


class Picky(TypeDecorator[int]):
    """Refuses to read one number."""

    impl = Integer
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        if value == 13:
            raise RuntimeError("this is not to be read")
        return value


@dataclass(frozen=True)
class Case:
    """A column of a type, its right value, and SQL for a value that can't be read from it."""

    type: Any
    right: object
    unreadable: str
    dialect: str


CASES = {
    "no member of the enumeration": Case(
        Enum(Shade, native_enum=False, length=9), Shade.LIGHT, "'HUGE'", "sqlite postgresql"
    ),
    "a number that the type refuses": Case(Picky, 5, "13", "sqlite postgresql"),
    "no pickled object": Case(PickleType, {"n": 5}, "CAST('x' AS %s)", "sqlite postgresql"),
    "a text that is no JSON": Case(JSON, {"n": 5}, "'{'", "sqlite"),
    "a text that is no timestamp": Case(DateTime, datetime(2026, 1, 5), "'soon'", "sqlite"),
    "a text that is not UTF-8": Case(String, "5", "CAST(x'ff' AS TEXT)", "sqlite"),
    "a day that Python doesn't have": Case(Date, date(2026, 1, 5), "'infinity'", "postgresql"),
}


def made(case: Case) -> tuple[type[DeclarativeBase], type[Any], type[Any]]:
    """A class with two values of that type, and one that is made of the first; and the class of tickets."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Lamp(Base):
        __tablename__ = "lamp"
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int] = mapped_column(default=1)
        first: Mapped[Any] = mapped_column(case.type, nullable=True)
        second: Mapped[Any] = mapped_column(case.type, nullable=True)
        shown: Mapped[str | None] = mapped_column()

        @aw.derived(first)
        def compute_first(self) -> Any:
            return case.right

        @aw.derived(second)
        def compute_second(self) -> Any:
            return case.right

        @aw.derived(shown)
        def compute_shown(self) -> str:
            return f"{self.n} {self.first!r}"

    return Base, Lamp, SysAsyncTicket


def lamps(engine: Engine, cls: Any) -> list[tuple[object, ...]]:
    with Session(engine) as session:
        return [(lamp.first, lamp.second, lamp.shown) for lamp in session.query(cls).order_by(cls.id)]


@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_can_not_be_read_is_put_right(engine: Engine, case: Case, objects: int) -> None:
    if engine.dialect.name not in case.dialect:
        pytest.skip("this database refuses that value itself")
    base, lamp, _kept = made(case)
    app = installed(engine, base)
    with Session(engine) as session, session.begin():
        session.add_all([lamp(id=number) for number in range(1, objects + 1)])
    app.run_until_idle(engine)
    right = [(case.right, case.right, f"1 {case.right!r}")] * objects
    assert lamps(engine, lamp) == right
    unreadable = case.unreadable.replace("%s", "BLOB" if engine.dialect.name == "sqlite" else "bytea")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE lamp SET first = {unreadable}, second = {unreadable} WHERE id = 1"))
    app.run_until_idle(engine)
    assert lamps(engine, lamp) == right
    assert app.run_until_idle(engine) == []
