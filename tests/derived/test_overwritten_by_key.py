"""Whoever writes a calculated column, it becomes right again, whatever the type of its object's key: those rows are
calculated again and no others, and what the server writes there itself wakes nobody."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, String, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.derived.key_types import ON_BOTH, ON_POSTGRESQL, ON_SQLITE, Key, create_type, each
from tests.support.prepared import installed, open_with

# SQLAlchemy 2.1 says so of its own DOMAIN.
pytestmark = pytest.mark.filterwarnings("ignore:.*operator_classes attribute")

NUMBERS = [1, 2, 3]


@dataclass
class World:
    """Three items with a key of these types. Of their two values, one is calculated in Python and one in SQL."""

    engine: Engine
    keys: Sequence[Key]

    def __post_init__(self) -> None:
        names = [f"key_{place}" for place in range(len(self.keys))]
        self.key_names = ", ".join(names)
        columns = [mapped_column(key.kind, primary_key=True) for key in self.keys]
        parts = type("Parts", (), dict(zip(names, columns, strict=True)))

        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        class Item(parts, Base):  # type: ignore[valid-type,misc]
            __tablename__ = "item"
            n: Mapped[int]
            total: Mapped[int | None] = mapped_column()
            in_sql: Mapped[int | None] = mapped_column()

            @aw.derived(total)
            def compute_total(self) -> int:
                return 10 * self.n

            @aw.derived(in_sql)
            def compute_in_sql(self) -> int:
                return 20 * self.n

            @compute_in_sql.expression
            def _in_sql(cls):  # type: ignore[no-untyped-def]
                return cls.n * 20

        self.Base, self.Item = Base, Item
        self.at_once = aw.Afterwork(Base, settings=aw.Settings(at_once=timedelta(seconds=1)))
        self.claiming = aw.Afterwork(Base, settings=aw.Settings(at_once=timedelta(0)))
        open_with(self.engine, Base, self._create)
        with Session(self.engine) as session, session.begin():
            session.add_all(self.item(n) for n in NUMBERS)

    def _create(self, engine: Engine) -> None:
        for key in self.keys:
            create_type(engine, key.kind)
        self.Base.metadata.create_all(engine)
        self.at_once.install(engine)

    @property
    def is_exact(self) -> bool:
        return all(key.is_exact for key in self.keys)

    def key_of(self, number: int) -> dict[str, Any]:
        return {f"key_{place}": key.of(number) for place, key in enumerate(self.keys)}

    def item(self, number: int, **more: Any) -> Any:
        return self.Item(**self.key_of(number), n=number, **more)

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def runs(self, app: aw.Afterwork) -> list[tuple[str, int]]:
        """Run all that is due. Returns what ran, each as the member and the number of the item."""
        with Session(self.engine) as session:
            numbers = {aw.external_id(item): item.n for item in session.scalars(select(self.Item))}
        ended = app.run_until_idle(self.engine)
        assert all(isinstance(one.outcome, aw.Succeeded) for one in ended)
        return sorted((str(one.run.work), numbers[str(one.run.root_id)]) for one in ended)

    def values(self) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("SELECT n, total, in_sql FROM item ORDER BY n"))]


RIGHT = [(n, 10 * n, 20 * n) for n in NUMBERS]


def of_both(numbers: Sequence[int]) -> list[tuple[str, int]]:
    """Both values of some items, each once."""
    return sorted((name, number) for name in ("Item.total", "Item.in_sql") for number in numbers)


# The ways in which values are overwritten.

Overwriting = Callable[[World, Sequence[int]], None]


def listed(numbers: Sequence[int]) -> str:
    return f"({', '.join(map(str, numbers))})"


def by_hand(world: World, numbers: Sequence[int]) -> None:
    world.sql(f"UPDATE item SET total = 99, in_sql = NULL WHERE n IN {listed(numbers)}")


def by_upsert(world: World, numbers: Sequence[int]) -> None:
    columns = f"{world.key_names}, n, total, in_sql"
    world.sql(
        f"INSERT INTO item ({columns}) SELECT {world.key_names}, n, 77, 77 FROM item WHERE n IN {listed(numbers)}"
        f" ON CONFLICT ({world.key_names}) DO UPDATE SET total = excluded.total, in_sql = excluded.in_sql"
    )


def by_merge(world: World, numbers: Sequence[int]) -> None:
    with Session(world.engine) as session, session.begin():
        for number in numbers:
            session.merge(world.item(number, total=55, in_sql=55))


def by_bulk_update(world: World, numbers: Sequence[int]) -> None:
    rows = [world.key_of(number) | {"total": 44, "in_sql": 44} for number in numbers]
    with Session(world.engine) as session, session.begin():
        session.execute(update(world.Item), rows)


def in_two_steps(world: World, numbers: Sequence[int]) -> None:
    by_hand(world, numbers)
    by_upsert(world, numbers)


OF_COLUMNS: list[Overwriting] = [by_hand, by_upsert, by_merge, by_bulk_update, in_two_steps]


def by_replacing(world: World, numbers: Sequence[int]) -> None:
    """Delete rows and insert them again, as a backup of them is restored."""
    copied = f"CREATE TABLE backup AS SELECT * FROM item WHERE n IN {listed(numbers)}"
    world.sql(copied, "UPDATE backup SET total = 42, in_sql = 42", f"DELETE FROM item WHERE n IN {listed(numbers)}")
    world.sql("INSERT INTO item SELECT * FROM backup", "DROP TABLE backup")


def by_insert_or_replace(world: World, numbers: Sequence[int]) -> None:
    rows = [world.key_of(number) | {"n": number, "total": 33, "in_sql": 33} for number in numbers]
    with world.engine.begin() as connection:
        connection.execute(insert(world.Item).prefix_with("OR REPLACE"), rows)


def by_truncating(world: World, numbers: Sequence[int]) -> None:
    world.sql("CREATE TABLE backup AS SELECT * FROM item", "UPDATE backup SET total = 42 + n, in_sql = 42 + n")
    world.sql("TRUNCATE item", "INSERT INTO item SELECT * FROM backup", "DROP TABLE backup")


OF_ROWS: dict[str, list[Overwriting]] = {
    "sqlite": [by_replacing, by_insert_or_replace],
    "postgresql": [by_replacing, by_truncating],
}


def is_put_right(world: World, overwrite: Overwriting, app: aw.Afterwork, numbers: Sequence[int]) -> None:
    """Overwrite the values of some items: they are put right, and no others are calculated."""
    overwrite(world, numbers)
    assert world.values() != RIGHT
    assert (overwrite.__name__, world.runs(app)) == (overwrite.__name__, of_both(numbers))
    assert (overwrite.__name__, world.values()) == (overwrite.__name__, RIGHT)


def own_writes_wake_nobody(world: World, app: aw.Afterwork) -> None:
    for row, number in (2, 12), (12, 2):
        world.sql(f"UPDATE item SET n = {number} WHERE n = {row}")
        ran = world.runs(app)
        # Where keys are not exact, other rows may have run in vain, but once.
        assert ran == of_both([number]) or not world.is_exact
        assert set(of_both([number])) <= set(ran) <= set(of_both([1, 3, number]))
        assert len(ran) == len(set(ran))
    assert world.values() == RIGHT


@each("key", sqlite=ON_BOTH | ON_SQLITE, postgresql=ON_BOTH | ON_POSTGRESQL)
def test_values_that_are_overwritten_are_put_right_and_no_others_are_calculated(engine: Engine, key: Key) -> None:
    world = World(engine, [key])
    world.runs(world.claiming)
    is_put_right(world, by_hand, world.at_once, [2])
    is_put_right(world, by_upsert, world.claiming, NUMBERS)
    own_writes_wake_nobody(world, world.claiming)


SOME_SQLITE = {"whole": ON_BOTH["whole"], "real": ON_SQLITE["real"], "folded": ON_SQLITE["folded"]}
SOME_POSTGRESQL = {name: (ON_BOTH | ON_POSTGRESQL)[name] for name in SOME_SQLITE}


@each("key", sqlite=SOME_SQLITE, postgresql=SOME_POSTGRESQL)
def test_they_are_in_whichever_way_they_are_overwritten(engine: Engine, key: Key) -> None:
    world = World(engine, [key])
    world.runs(world.at_once)
    for overwrite in OF_COLUMNS:
        is_put_right(world, overwrite, world.at_once, [2])
        is_put_right(world, overwrite, world.claiming, NUMBERS)
    own_writes_wake_nobody(world, world.at_once)
    assert world.at_once.verify(world.engine).differences == []


@each("key", sqlite=SOME_SQLITE, postgresql=SOME_POSTGRESQL)
def test_values_of_rows_that_are_written_anew_are_put_right(engine: Engine, key: Key) -> None:
    world = World(engine, [key])
    world.runs(world.at_once)
    for overwrite in OF_ROWS[engine.dialect.name]:
        for app, numbers in ((world.at_once, [2]), (world.claiming, NUMBERS)):
            overwrite(world, numbers)
            assert set(world.runs(app)) >= set(of_both(numbers))
            assert (overwrite.__name__, world.values()) == (overwrite.__name__, RIGHT)
            assert world.runs(app) == []


# Keys of several parts.

MARKED = Key(String(20), lambda n: f"a\x1f!%{n}\x1e")
"""A text with all characters that separate the parts of a key."""

COMPOSITE: dict[str, dict[str, list[Key]]] = {
    "both": {
        "marks_and_whole": [MARKED, ON_BOTH["whole"]],
        "moment_and_marks": [ON_BOTH["moment"], MARKED],
        "bytes_and_unique_id": [ON_BOTH["bytes"], ON_BOTH["unique_id"]],
        "empty_and_number": [Key(String(20), lambda n: ""), ON_BOTH["number"]],
    },
    "sqlite": {
        "real_and_marks": [ON_SQLITE["real"], MARKED],
        "folded_and_whole": [ON_SQLITE["folded"], ON_BOTH["whole"]],
        "fraction_and_trimmed": [ON_SQLITE["fraction"], ON_SQLITE["trimmed"]],
    },
    "postgresql": {
        "real_and_marks": [ON_POSTGRESQL["real"], MARKED],
        "folded_and_whole": [ON_POSTGRESQL["folded"], ON_BOTH["whole"]],
        "span_and_money": [ON_POSTGRESQL["span"], ON_POSTGRESQL["money"]],
        "list_and_range": [ON_POSTGRESQL["list"], ON_POSTGRESQL["range"]],
    },
}


@each("keys", sqlite=COMPOSITE["both"] | COMPOSITE["sqlite"], postgresql=COMPOSITE["both"] | COMPOSITE["postgresql"])
def test_so_are_those_of_rows_with_keys_of_several_parts(engine: Engine, keys: Sequence[Key]) -> None:
    world = World(engine, keys)
    world.runs(world.at_once)
    is_put_right(world, by_hand, world.at_once, [2])
    is_put_right(world, by_merge, world.claiming, NUMBERS)
    own_writes_wake_nobody(world, world.claiming)


@each("key", sqlite=SOME_SQLITE, postgresql=SOME_POSTGRESQL | {"number": ON_BOTH["number"]})
def test_is_stale_and_explain_tell_of_it(engine: Engine, key: Key) -> None:
    world = World(engine, [key])
    world.runs(world.at_once)
    by_hand(world, [2])
    with Session(engine) as session:
        item, other = (session.scalars(select(world.Item).filter_by(n=n)).one() for n in (2, 1))
        assert aw.is_stale(item, "total")
        assert aw.fresh(item, "total") == 20
        assert not aw.is_stale(other, "total")
    world.runs(world.at_once)
    with Session(engine) as session:
        item = session.scalars(select(world.Item).filter_by(n=2)).one()
        assert not aw.is_stale(item, "total")
        assert "was changed: total" in str(world.at_once.explain(item, "total").because)


@each("key", sqlite=SOME_SQLITE, postgresql=SOME_POSTGRESQL)
def test_so_are_those_in_the_tables_of_subclasses(engine: Engine, key: Key) -> None:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Item(Base):
        __tablename__ = "item"
        id: Mapped[Any] = mapped_column(key.kind, primary_key=True)
        kind: Mapped[str]
        n: Mapped[int]
        total: Mapped[int | None] = mapped_column()
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}

        @aw.derived(total)
        def compute_total(self) -> int:
            return 10 * self.n

    class Special(Item):
        __tablename__ = "special"
        id: Mapped[Any] = mapped_column(key.kind, ForeignKey("item.id"), primary_key=True)
        more: Mapped[int | None] = mapped_column()
        __mapper_args__ = {"polymorphic_identity": "special"}

        @aw.derived(more)
        def compute_more(self) -> int:
            return 30 * self.n

    create_type(engine, key.kind)
    app = installed(engine, Base)
    with Session(engine) as session, session.begin():
        session.add_all([Item(id=key.of(1), n=1), Special(id=key.of(2), n=2), Special(id=key.of(3), n=3)])
    app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE item SET total = 99 WHERE n < 3"))
        connection.execute(text("UPDATE special SET more = 98 WHERE more = 90"))

    ran = [(str(one.run.work), one.run.root_id) for one in app.run_until_idle(engine)]

    with Session(engine) as session:
        items = session.scalars(select(Item).order_by(Item.n)).all()
        one, two, three = map(aw.external_id, items)
        assert [item.total for item in items] == [10, 20, 30]
        assert [item.more for item in items if isinstance(item, Special)] == [60, 90]
    assert len(ran) == 3
    assert {("Special.more", three), ("Item.total", one)} <= set(ran)
    assert ("Item.total", two.replace("Special", "Item")) in ran
