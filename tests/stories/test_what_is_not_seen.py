"""What Afterwork can't see, and what to do about it: docs/caches.md, "What it does not see"."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, ForeignKey, Table, func, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, make_transient, mapped_column, relationship
from sqlalchemy.orm.attributes import get_history

import afterwork as aw
from benchmarks.support.postgres import text_of

RATE = {"percent": 1}
"""A setting in memory."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Part(Base):
    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing.id"))
    weight: Mapped[int]


class Thing(Base):
    """`way` says how the weight of its parts is read."""

    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    way: Mapped[str]
    weight: Mapped[int] = mapped_column(default=0)
    parts: Mapped[list[Part]] = relationship()

    @aw.derived(weight)
    def compute_weight(self) -> int:
        return WAYS[self.way](self)


def by_setting(thing: Thing) -> int:
    return RATE["percent"]


def by_dict(thing: Thing) -> int:
    return sum(part.__dict__["weight"] for part in thing.parts)


def by_inspection(thing: Thing) -> int:
    return sum(inspect(part).attrs.weight.loaded_value for part in thing.parts)


def by_history(thing: Thing) -> int:
    return sum(sum(get_history(part, "weight").unchanged) for part in thing.parts)


def by_transient(thing: Thing) -> int:
    parts = list(thing.parts)
    for part in parts:
        make_transient(part)
    return sum(part.weight for part in parts)


def by_cursor(thing: Thing) -> int:
    cursor: Any = aw.session(thing).connection().execute(select(Part.id)).cursor
    return int(cursor.connection.cursor().execute("SELECT sum(weight) FROM part").fetchone()[0])


def by_driver(thing: Thing) -> int:
    url = aw.session(thing).get_bind().engine.url
    connect: Callable[[str], Any] = sqlite3.connect if url.drivername == "sqlite" else psycopg.connect
    connection = connect(str(url.database) if url.drivername == "sqlite" else text_of(url.set(drivername="postgresql")))
    try:
        return int(connection.execute("SELECT sum(weight) FROM part").fetchone()[0])
    finally:
        connection.close()


def asked(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.sum(Part.weight))) or 0


def by_thread(thing: Thing) -> int:
    engine = aw.session(thing).get_bind().engine
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asked, engine).result()


def by_view(thing: Thing) -> int:
    aw.depends_on(Part)
    with aw.untracked():
        return aw.session(thing).scalar(text("SELECT sum(weight) FROM all_parts")) or 0


WAYS = {
    "setting": by_setting,
    "dict": by_dict,
    "inspection": by_inspection,
    "history": by_history,
    "transient": by_transient,
    "cursor": by_cursor,
    "driver": by_driver,
    "thread": by_thread,
    "view": by_view,
}


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    app = aw.Afterwork(Base)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW all_parts AS SELECT * FROM part"))
    app.install(engine)
    return app


def made(app: aw.Afterwork, engine: Engine, way: str) -> None:
    with Session(engine) as session, session.begin():
        session.add(Thing(id=1, way=way, parts=[Part(id=1, weight=1)]))
    app.run_until_idle(engine)
    assert weight(engine) == 1


def weight(engine: Engine) -> int:
    with Session(engine) as session:
        return session.get_one(Thing, 1).weight


def sql(engine: Engine, *statements: str) -> None:
    for statement in statements:
        with engine.begin() as connection:
            connection.execute(text(statement))


@pytest.mark.parametrize("way", ["dict", "inspection", "history", "transient", "cursor", "driver", "thread"])
def test_what_is_read_behind_python_s_back_is_seen_when_it_is_calculated_again(
    app: aw.Afterwork, engine: Engine, way: str
) -> None:
    made(app, engine, way)
    sql(engine, "UPDATE part SET weight = 2")
    app.run_until_idle(engine)
    assert weight(engine) == 1

    app.repair(engine)
    app.run_until_idle(engine)
    assert weight(engine) == 2


def test_a_setting_in_memory_is_seen_when_it_is_calculated_again(
    app: aw.Afterwork, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(app, engine, "setting")
    monkeypatch.setitem(RATE, "percent", 2)
    app.run_until_idle(engine)
    assert weight(engine) == 1

    app.repair(engine)
    app.run_until_idle(engine)
    assert weight(engine) == 2


def test_code_that_the_function_calls_is_seen_when_it_is_calculated_again(
    app: aw.Afterwork, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(app, engine, "dict")
    monkeypatch.setitem(WAYS, "dict", lambda thing: 2)
    app.run_until_idle(engine)
    assert weight(engine) == 1

    app.repair(engine)
    app.run_until_idle(engine)
    assert weight(engine) == 2


def test_the_tables_of_a_view_are_seen_once_they_are_named(app: aw.Afterwork, engine: Engine) -> None:
    made(app, engine, "view")
    sql(engine, "UPDATE part SET weight = 2")
    app.run_until_idle(engine)

    assert weight(engine) == 2


def test_a_view_itself_is_refused(app: aw.Afterwork, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    view = Table("all_parts", Base.metadata.__class__(), autoload_with=engine)
    monkeypatch.setitem(WAYS, "view", lambda thing: aw.session(thing).scalar(select(view.c.weight)) or 0)
    with Session(engine) as session, session.begin():
        session.add(Thing(id=1, way="view", parts=[Part(id=1, weight=1)]))
    app.run_until_idle(engine)

    assert weight(engine) == 0


def test_a_value_that_a_trigger_changes_is_told_by_verify(app: aw.Afterwork, engine: Engine) -> None:
    made(app, engine, "dict")
    add_one = "UPDATE thing SET weight = weight + 100 WHERE id = NEW.id AND weight < 100;"
    if engine.dialect.name == "sqlite":
        sql(engine, f"CREATE TRIGGER more AFTER UPDATE OF weight ON thing FOR EACH ROW BEGIN {add_one} END")
    else:
        sql(
            engine,
            "CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.weight := NEW.weight + 100; RETURN NEW; END $$",
            "CREATE TRIGGER more BEFORE UPDATE OF weight ON thing FOR EACH ROW EXECUTE FUNCTION more()",
        )
    sql(engine, "UPDATE part SET weight = 2")
    app.repair(engine)
    app.run_until_idle(engine)

    assert weight(engine) == 102
    (difference,) = app.verify(engine).differences
    assert (difference.stored, difference.calculated) == ("102", "2")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_a_trigger_cuts_off_from_capture_is_seen_after_a_repair(app: aw.Afterwork, engine: Engine) -> None:
    made(app, engine, "dict")
    sql(engine, "CREATE TRIGGER last AFTER UPDATE ON part BEGIN SELECT RAISE(IGNORE); END")
    sql(engine, "UPDATE part SET weight = 2")
    app.run_until_idle(engine)
    assert weight(engine) == 1

    app.repair(engine)
    app.run_until_idle(engine)
    assert weight(engine) == 2
