"""Truth values that are said by a negation are truth values, in SQL and in OCL, and are computed in sets."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, and_, case, not_, or_, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.model.derived import Derived
from tests.support.world import World, everything

SAID: dict[str, Callable[[Any], Any]] = {
    "not both": lambda cls: ~and_(cls.count == 1, cls.name == "x"),
    "neither": lambda cls: ~or_(cls.count == 1, cls.name == "x"),
    "not not both": lambda cls: not_(~and_(cls.count == 1, cls.name == "x")),
    "not one": lambda cls: ~(cls.count == 1),
}
TEXTS: dict[str, Callable[[Any], Any]] = {  # where null is another value than 'x'
    "self.name <> 'x'": lambda cls: cls.name.is_distinct_from("x"),
    "self.even <> true": lambda cls: cls.even.is_distinct_from(True),
    "not ((self.count = 1) and (self.name = 'x'))": lambda cls: or_(cls.count != 1, cls.name.is_distinct_from("x")),
    "self.count <> 1": lambda cls: cls.count != 1,
}


def model(derived: dict[str, Derived[Any, Any]]) -> tuple[type[DeclarativeBase], Any]:
    """Return a base and a class that has these truth values."""

    class Base(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Base):
        pass

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]
        count: Mapped[int]
        even: Mapped[bool | None]
        answer: Mapped[bool | None]

    for name, each in derived.items():
        each.__set_name__(Thing, name)
        setattr(Thing, name, each)
    Base.kept = SysAsyncTicket
    return Base, Thing


def check(engine: Engine, derived: Derived[Any, Any], truth: Callable[[Any], Any]) -> None:
    """Store the answers of some things that are changed by SQL, in sets, and compare each with the truth in SQL."""
    base, thing = model({"compute_answer": derived})
    world = World(engine, base)
    with world.session() as session, session.begin():
        session.add_all(thing(name=name, count=1, even=even) for name in ("x", "y", None) for even in (True, None))
    world.run()
    with engine.begin() as connection:
        connection.execute(text("UPDATE thing SET count = 2 WHERE id > 3"))
    world.run()

    (summary,) = world.app.insight(engine).caches()
    assert summary.is_in_sets
    said = truth(thing)
    with engine.connect() as connection:
        rows = connection.execute(select(thing.id, case((said, 1), (not_(said), 0)))).all()
    stored = {each.id: each.answer for each in everything(engine, thing)}
    assert stored == {key: None if number is None else bool(number) for key, number in rows}


@pytest.mark.parametrize("said", SAID)
def test_what_python_says_in_sql_is_computed_in_sets(engine: Engine, said: str) -> None:
    def compute(self: Any) -> bool | None:
        raise NotImplementedError("its expression computes it")

    derived = Derived[Any, bool | None](compute, "answer", aw.WhenStale())
    derived.expression(SAID[said])

    check(engine, derived, SAID[said])


@pytest.mark.parametrize("said", TEXTS)
def test_what_a_text_says_is_computed_in_sets(engine: Engine, said: str) -> None:
    check(engine, Derived[Any, bool](aw.ocl(said), "answer", aw.WhenStale()), TEXTS[said])
