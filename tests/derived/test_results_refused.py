"""A result that can't be stored fails alone, whatever refuses it; the others are stored, and it comes right again."""

import datetime as dt
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from sqlalchemy import ARRAY, CHAR, JSON, DateTime, Engine, Integer, Numeric, PickleType, String, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
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


CASES = {"sqlite": BOTH, "postgresql": BOTH | POSTGRESQL}

Item = Any
"""The class of a case. Its objects have as their result what `results` says of their numbers, else a good one."""


class Model:
    """A class for each case of a kind of database."""

    def __init__(self, dialect: str) -> None:
        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        self.base, self.ticket = Base, SysAsyncTicket
        cases = enumerate(CASES[dialect].items())
        self.items = {name: self._item(f"Item{place}", kind, good) for place, (name, (kind, good, *_)) in cases}

    def _item(self, name: str, kind: Any, good: Any) -> Item:
        results: dict[int, Any] = {}

        def compute_result(self: Any) -> Any:
            return results.get(self.id * self.n, good)

        result = mapped_column(kind, nullable=False)
        members = {
            "__tablename__": name.lower(),
            "id": mapped_column(Integer, primary_key=True),
            "n": mapped_column(Integer, default=1),
            "result": result,
            "compute_result": aw.derived(result)(compute_result),
            "results": results,
        }
        return type(name, (self.base,), members)


@cache
def model_of(dialect: str) -> Model:
    return Model(dialect)


class Items(Scene):
    """A database with a table for each case, some of which are declared as the model does not know."""

    def prepare(self, engine: Engine) -> None:
        super().prepare(engine)
        with engine.begin() as connection:
            for name, item in model_of(engine.dialect.name).items.items():
                for declared in CASES[engine.dialect.name][name][3:]:
                    connection.exec_driver_sql(f"ALTER TABLE {item.__tablename__} ALTER COLUMN result TYPE {declared}")


def five_of(engine: Engine, name: str) -> tuple[Scene, Item]:
    """Five objects of a case, with good results."""
    model = model_of(engine.dialect.name)
    item = model.items[name]
    item.results.clear()
    scene = Items(engine, model.base)
    with scene.session() as session, session.begin():
        session.add_all(item(id=number, result=CASES[engine.dialect.name][name][1]) for number in range(1, 6))
    scene.runs()
    return scene, item


def each(*names: str) -> pytest.MarkDecorator:
    """A test of each of the cases, or of these."""
    cases = [(url, name) for url, cases in CASES.items() for name in cases if name in names or not names]
    return pytest.mark.parametrize(("url", "name"), cases, indirect=["url"])


@each()
def test_it_fails_alone(engine: Engine, name: str) -> None:
    scene, item = five_of(engine, name)
    item.results[30] = CASES[engine.dialect.name][name][2]

    scene.sql(f"UPDATE {item.__tablename__} SET n = 10")
    ran = scene.runs()

    work = f"{item.__name__}.result {item.__name__}"
    assert sorted(ran) == [f"{work}!{number}" for number in range(1, 6)]
    assert scene.failed(3, "result", item)
    assert scene.is_quiet()
    assert [scene.explain(number, "result", item).state for number in (1, 2, 4, 5)] == ["fresh"] * 4
    assert len(scene.app.verify(engine).differences) == 0  # what has failed is known
    scene.sql(f"UPDATE {item.__tablename__} SET n = 1 WHERE id = 3")
    assert scene.runs() == [f"{work}!3"]
    assert scene.explain(3, "result", item).state == "fresh"


@each("too long", "NUL in jsonb", "out of range", "no JSON", "half of a character")
def test_verify_tells_of_a_result_that_can_not_be_stored(engine: Engine, name: str) -> None:
    scene, item = five_of(engine, name)
    item.results[3] = CASES[engine.dialect.name][name][2]  # of which nothing tells

    (found,) = scene.app.verify(engine).differences

    assert found.root_id == f"{item.__name__}!3"
