"""What a change costs the server that takes it, in calls of functions: a bulk update brings thousands of them."""

import cProfile
import pstats
import subprocess
import sys
from typing import Any

from sqlalchemy import Engine, ForeignKey, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.derived.stale_scene import Scene

FEW, MANY = 100, 1100

CALLS_PER_CHANGE = {"sqlite": 55, "postgresql": 28}
"""So many it is, with some to spare. SQLite's triggers write each change, and PostgreSQL's a statement, as one row."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    cart_id: Mapped[int] = mapped_column(ForeignKey("cart.id"))
    quantity: Mapped[int] = mapped_column(default=1)


class Cart(Base):
    __tablename__ = "cart"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int] = mapped_column(default=0)
    lines: Mapped[list[Line]] = relationship()

    @aw.derived(total)
    def compute_total(self) -> int:
        return sum(line.quantity for line in self.lines)

    @compute_total.expression
    def _total_in_sql(cls: Any) -> Any:
        total = select(func.coalesce(func.sum(Line.quantity), 0)).where(Line.cart_id == cls.id)
        return total.scalar_subquery()


def fill(engine: Engine) -> None:
    """One cart with many lines."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO cart (id, total) VALUES (1, 0)"))
        for start in range(1, MANY + 1, 100):
            rows = ", ".join(f"({number}, 1, 1)" for number in range(start, start + 100))
            connection.execute(text(f"INSERT INTO line (id, cart_id, quantity) VALUES {rows}"))


def calls(app: aw.Afterwork, engine: Engine, changes: int) -> int:
    """The calls of functions, of Python or not, by which a server takes so many changes and calculates the total."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE line SET quantity = quantity + 1 WHERE id <= {changes}"))
    profile = cProfile.Profile()
    profile.enable()
    ended = app.run_until_idle(engine)
    profile.disable()
    assert [f"{one.run.work} {one.run.root_id}" for one in ended] == ["Cart.total Cart!1"]
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def main() -> None:
    app, engine = aw.Afterwork(Base), create_engine(sys.argv[1])
    app.run_until_idle(engine)
    calls(app, engine, FEW)  # compiles what is sent again
    print(calls(app, engine, FEW), calls(app, engine, MANY))


def test_a_change_among_many_takes_few_calls(engine: Engine) -> None:
    Scene(engine, Base, first=fill)
    url = engine.url.render_as_string(hide_password=False)

    # In a process of its own: CPython 3.11 loops in a profile where an interruption was withdrawn.
    printed = subprocess.run(
        [sys.executable, "-m", __name__, url], stdout=subprocess.PIPE, text=True, check=True
    ).stdout

    few, many = map(int, printed.split())
    assert (many - few) / (MANY - FEW) < CALLS_PER_CHANGE[engine.dialect.name]


if __name__ == "__main__":
    main()
