"""Each value is made about once, also where caches read each other and nobody knows that before their first runs: what
they are made of is filled first."""

from collections import Counter

import pytest
from sqlalchemy import Engine, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import open_with

COUNT = 300

FEW = 4
"""So many runs of each cache may be in vain before it is known what they read."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Row(Base):
    """`a_last` is made of `b_middle`, that of `c_first`: in the order of their names, which is that of their numbers,
    each would be made before what it is made of. `d_top` is a diamond over `e_left` and `f_right`."""

    __tablename__ = "row"
    id: Mapped[int] = mapped_column(primary_key=True)
    up_id: Mapped[int | None] = mapped_column(ForeignKey("row.id"))
    size: Mapped[int]
    a_last: Mapped[int | None] = mapped_column()
    b_middle: Mapped[int | None] = mapped_column()
    c_first: Mapped[int | None] = mapped_column()
    d_top: Mapped[int | None] = mapped_column()
    e_left: Mapped[int | None] = mapped_column()
    f_right: Mapped[int | None] = mapped_column()
    up: Mapped["Row | None"] = relationship(remote_side=id)

    @aw.derived(a_last)
    def compute_a(self) -> int:
        return (self.b_middle or 0) + (self.up.b_middle or 0 if self.up else 0)

    @aw.derived(b_middle)
    def compute_b(self) -> int:
        return (self.c_first or 0) + (self.up.c_first or 0 if self.up else 0)

    @aw.derived(c_first)
    def compute_c(self) -> int:
        return self.size

    @aw.derived(d_top)
    def compute_d(self) -> int:
        return (self.e_left or 0) + (self.f_right or 0)

    @aw.derived(e_left)
    def compute_e(self) -> int:
        return self.c_first or 0

    @aw.derived(f_right)
    def compute_f(self) -> int:
        return -(self.c_first or 0)


MEMBERS = ("a_last", "b_middle", "c_first", "d_top", "e_left", "f_right")


def insert(engine: Engine, first: int, last: int) -> None:
    with engine.begin() as connection:
        rows = [{"id": n, "up": n - 1 if n > 1 else None, "size": n} for n in range(first, last + 1)]
        connection.execute(text("INSERT INTO row (id, up_id, size) VALUES (:id, :up, :size)".replace("row", ROW)), rows)


ROW = '"row"'


def runs(app: aw.Afterwork, engine: Engine) -> Counter[str]:
    return Counter(ended.run.work.removeprefix("Row.") for ended in app.run_until_idle(engine))


def wrong(engine: Engine) -> int:
    """How many rows have a value that is not right."""
    right = (
        "c_first = size AND e_left = size AND f_right = -size AND d_top = 0"
        " AND b_middle = size + CASE WHEN id > 1 THEN size - 1 ELSE 0 END"
        " AND a_last = CASE WHEN id = 1 THEN 1 WHEN id = 2 THEN 4 ELSE 4 * size - 4 END"
    )
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {ROW} WHERE NOT ({right})")).scalar_one())


@pytest.mark.parametrize("is_there_before", [True, False], ids=["filled", "new"])
def test_what_others_are_made_of_is_made_before_them(engine: Engine, is_there_before: bool) -> None:
    app = aw.Afterwork(Base, clock=aw.ManualClock())
    open_with(engine, Base, Base.metadata.create_all)
    if is_there_before:
        insert(engine, 1, COUNT)
        app.install(engine)
    else:
        app.install(engine)
        app.run_until_idle(engine)
        insert(engine, 1, COUNT)

    found = runs(app, engine)

    assert all(COUNT <= found[name] <= COUNT + FEW for name in MEMBERS), found
    assert wrong(engine) == 0
    insert(engine, COUNT + 1, COUNT + 20)
    assert runs(app, engine) == dict.fromkeys(MEMBERS, 20)
    assert wrong(engine) == 0
