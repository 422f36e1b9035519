"""A result that can't be stored fails alone, whatever refuses it; the others are stored, and it comes right again."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ARRAY, CHAR, JSON, DateTime, Engine, Integer, Numeric, PickleType, String, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

import afterwork as aw
from tests.derived.stale_scene import Scene


class Even(TypeDecorator[int]):
    """Takes only even numbers, and is no friend of others."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        if value is not None and value % 2:
            raise KeyError(value)
        return value


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


BOTH: dict[str, tuple[Any, ...]] = {
    "of another class": (Integer(), 1, "one"),
    "refused by its type": (Even(), 2, 3),
    "no JSON": (JSON(), {"a": 1}, {"a": object()}),
    "a circle in JSON": (JSON(), [], circle()),
    "not to be pickled": (PickleType(), 1, lambda: 1),
    "half of a character": (Text(), "a", "\ud800"),
    "no UUID": (Uuid(as_uuid=False), "00000000-0000-0000-0000-000000000001", "seven"),
    "beyond all integers": (Integer(), 1, 10**30),
    "null": (Integer(), 1, None),
}
POSTGRESQL: dict[str, tuple[Any, ...]] = {
    "too long": (String(3), "abc", "abcd"),
    "too long, though its beginning is what is stored": (ARRAY(String), ["abc"], ["abcd"], "varchar(3)[]"),
    "too long to be padded": (CHAR(3), "ab", "abcd"),
    "NUL in a text": (Text(), "a", "a\0b"),
    "NUL in jsonb": (JSONB(), {"a": "a"}, {"a": "a\0b"}),
    "no number in JSON": (JSON(), [1], [float("nan")]),
    "infinite": (Numeric(10, 2), Decimal(1), Decimal("Infinity")),
    "out of range": (Numeric(4, 2), Decimal(1), Decimal(1000)),
    "before PostgreSQL's time": (DateTime(), dt.datetime(2026, 1, 1), "no moment"),
}


def scene_of(engine: Engine, kind: Any, result: Callable[[int], Any]) -> tuple[Scene, type[Any]]:
    """Five objects whose results are what a function says of their numbers."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Item(Base):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(primary_key=True)
        n: Mapped[int] = mapped_column(default=1)
        result: Mapped[Any] = mapped_column(kind, nullable=False)

        @aw.derived(result)
        def compute_result(self) -> Any:
            return result(self.id * self.n)

    return Scene(engine, Base), Item


@pytest.mark.parametrize("name", BOTH | POSTGRESQL)
def test_it_fails_alone(engine: Engine, name: str) -> None:
    if name in POSTGRESQL and engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps it")
    kind, good, bad, *declared = (BOTH | POSTGRESQL)[name]
    now: dict[int, Any] = {}
    scene, item = scene_of(engine, kind, lambda number: now.get(number, good))
    for other in declared:
        scene.sql(f"ALTER TABLE item ALTER COLUMN result TYPE {other}")
    with scene.session() as session, session.begin():
        session.add_all(item(id=number, result=good) for number in range(1, 6))
    scene.runs()
    now[30] = bad

    scene.sql("UPDATE item SET n = 10")
    ran = scene.runs()

    assert sorted(ran) == [f"Item.result Item!{number}" for number in range(1, 6)]
    assert scene.failed(3, "result", item)
    assert scene.is_quiet()
    assert [scene.explain(number, "result", item).state for number in (1, 2, 4, 5)] == ["fresh"] * 4
    assert len(scene.app.verify(engine).differences) == 0  # what has failed is known
    scene.sql("UPDATE item SET n = 1 WHERE id = 3")
    assert scene.runs() == ["Item.result Item!3"]
    assert scene.explain(3, "result", item).state == "fresh"


@pytest.mark.parametrize("name", ["too long", "NUL in jsonb", "out of range", "no JSON", "half of a character"])
def test_verify_tells_of_a_result_that_can_not_be_stored(engine: Engine, name: str) -> None:
    if name in POSTGRESQL and engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps it")
    kind, good, bad, *declared = (BOTH | POSTGRESQL)[name]
    now: dict[int, Any] = {}
    scene, item = scene_of(engine, kind, lambda number: now.get(number, good))
    for other in declared:
        scene.sql(f"ALTER TABLE item ALTER COLUMN result TYPE {other}")
    with scene.session() as session, session.begin():
        session.add_all(item(id=number, result=good) for number in range(1, 6))
    scene.runs()
    now[3] = bad  # of which nothing tells

    (found,) = scene.app.verify(engine).differences

    assert found.root_id == "Item!3"
