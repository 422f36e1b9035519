"""Whoever writes a calculated column, it becomes right again; and what the server writes there itself wakes nobody."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, ForeignKey, Numeric, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import begin_with, installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Node(Base):
    """A tree whose totals are made of each other."""

    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    own: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)
    total: Mapped[int | None] = mapped_column()
    in_sql: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    unwatched: Mapped[int | None] = mapped_column(info=aw.UNWATCHED)
    children: Mapped[list["Node"]] = relationship()
    __mapper_args__ = {"version_id_col": version}

    @aw.derived(total)
    def compute_total(self) -> int:
        return self.own + sum(child.total or 0 for child in self.children)

    @aw.derived(in_sql)
    def compute_in_sql(self) -> Decimal:
        return Decimal(2 * self.own)

    @compute_in_sql.expression
    def _in_sql(cls):  # type: ignore[no-untyped-def]
        return cls.own * 2

    @aw.derived(unwatched)
    def compute_unwatched(self) -> int:
        return self.own


FIRST = "INSERT INTO node (id, parent_id, own, version) VALUES (1, NULL, 1, 1), (2, 1, 2, 1), (3, 2, 3, 1)"


def write(engine: Engine, *statements: str) -> None:
    for statement in statements:
        with engine.begin() as connection:
            connection.execute(text(statement))


def stored(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT total, in_sql, version FROM node ORDER BY id"))]


RIGHT = [(6, 2, 1), (5, 4, 1), (3, 6, 1)]


def by_hand(engine: Engine) -> None:
    write(engine, "UPDATE node SET total = 99, in_sql = 99 WHERE id = 2")


def to_null(engine: Engine) -> None:
    write(engine, "UPDATE node SET total = NULL, in_sql = NULL")


def upsert(engine: Engine) -> None:
    write(
        engine,
        "INSERT INTO node (id, own, version, total, in_sql) VALUES (3, 3, 1, 77, 77)"
        " ON CONFLICT (id) DO UPDATE SET total = excluded.total, in_sql = excluded.in_sql",
    )


def merged(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.merge(Node(id=2, own=2, parent_id=1, total=55, in_sql=Decimal(55)))
    write(engine, "UPDATE node SET version = 1")  # which the program has counted up, not the server


def restored(engine: Engine) -> None:
    """A backup of the table, from when the values were others."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM node"))
        values = [{"id": n, "up": n - 1 or None, "own": n} for n in (1, 2, 3)]
        connection.execute(
            text("INSERT INTO node (id, parent_id, own, version, total, in_sql) VALUES (:id, :up, :own, 1, 42, 42)"),
            values,
        )


def twice(engine: Engine) -> None:
    write(engine, "UPDATE node SET total = 1 WHERE id = 1", "UPDATE node SET total = 2 WHERE id = 1")


WAYS: list[Callable[[Engine], None]] = [by_hand, to_null, upsert, merged, restored, twice]


def begin(engine: Engine, settings: aw.Settings | None = None) -> aw.Afterwork:
    begin_with(engine, three_nodes)
    assert stored(engine) == RIGHT
    return aw.Afterwork(Base, settings=settings)


def three_nodes(engine: Engine) -> None:
    app = installed(engine, Base)
    write(engine, FIRST)
    app.run_until_idle(engine)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("at_once", [0.0, 0.02])
def test_a_value_that_others_write_becomes_right_again(
    engine: Engine, way: Callable[[Engine], None], at_once: float
) -> None:
    app = begin(engine, aw.Settings(at_once=timedelta(seconds=at_once)))
    for _ in range(2):
        way(engine)
        ended = app.run_until_idle(engine)
        assert ended
        assert all(isinstance(one.outcome, aw.Succeeded) for one in ended)
        assert stored(engine) == RIGHT
        assert app.run_until_idle(engine) == []


def test_own_writes_wake_nobody_who_has_not_read_them(engine: Engine) -> None:
    app = begin(engine)
    write(engine, "UPDATE node SET own = 4 WHERE id = 3")
    ran = sorted(f"{ended.run.work} {ended.run.root_id}" for ended in app.run_until_idle(engine))
    others = ["Node.in_sql Node!3", "Node.unwatched Node!3"]
    assert ran == sorted([*others, "Node.total Node!1", "Node.total Node!2", "Node.total Node!3"])


def test_the_same_value_and_a_column_that_is_left_out_are_no_reason(engine: Engine) -> None:
    app = begin(engine)
    write(engine, "UPDATE node SET total = total, in_sql = in_sql", "UPDATE node SET unwatched = 9")
    assert app.run_until_idle(engine) == []


def test_explain_and_is_stale_tell_of_it(engine: Engine) -> None:
    app = begin(engine)
    with Session(engine) as session:
        assert not aw.is_stale(session.get_one(Node, 3), "total")
    write(engine, "UPDATE node SET total = 9 WHERE id = 3")
    with Session(engine) as session:
        assert aw.is_stale(session.get_one(Node, 3), "total")
        assert aw.fresh(session.get_one(Node, 3), "total") == 3
    app.run_until_idle(engine)
    with Session(engine) as session:
        node = session.get_one(Node, 3)
        assert not aw.is_stale(node, "total")
        assert str(app.explain(node, "total").because) == "node 3 was changed: total from 3 to 9"


def test_what_is_written_while_a_value_is_calculated_counts(engine: Engine) -> None:
    """The other write commits after the calculation has looked, and before its result is stored."""
    app = begin(engine)
    written: list[str] = []

    def intrude(obj: Node) -> int:
        if not written:
            written.append("once")
            other = create_engine(engine.url)
            with other.begin() as connection:
                connection.execute(text("UPDATE node SET total = 8 WHERE id = 3"))
            other.dispose()
        return obj.own

    if engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time: at once, nobody can come between")
    original = Node.compute_total.function
    Node.compute_total.function = intrude
    try:
        write(engine, "UPDATE node SET own = 3, version = 2 WHERE id = 3", "UPDATE node SET own = 5 WHERE id = 3")
        app.run_until_idle(engine)
    finally:
        Node.compute_total.function = original
    assert written
    with engine.connect() as connection:
        assert connection.execute(text("SELECT total FROM node WHERE id = 3")).scalar() == 5


def test_a_value_that_goes_round_in_a_circle_is_still_found(engine: Engine) -> None:
    app = begin(engine)
    write(engine, "UPDATE node SET parent_id = 3 WHERE id = 1")
    ended = app.run_until_idle(engine)
    assert any("cycle" in str(getattr(one.outcome, "error", "")) for one in ended)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(text("node"))).scalar() == 3
