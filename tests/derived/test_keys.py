"""Caches of objects with keys of all types that a database can have for one: they are filled, they follow whoever
changes something, and they run when what they read has changed and not otherwise."""

import enum
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Engine,
    Enum,
    ForeignKey,
    Interval,
    String,
    Time,
    TypeDecorator,
    Uuid,
    create_engine,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from afterwork.derived.compute import backfill
from afterwork.derived.explain.explanation import CacheLine
from tests.capture.column_types import Mood
from tests.derived.key_types import ON_BOTH, ON_POSTGRESQL, ON_SQLITE, Key, create_type, each
from tests.support.prepared import open_with

# SQLAlchemy 2.1 says so of its own DOMAIN.
pytestmark = pytest.mark.filterwarnings("ignore:.*operator_classes attribute")


@dataclass
class World:
    """Parents with children, by keys of one type."""

    engine: Engine
    key: Key
    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind, world = self.key.kind, self

        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        class Child(Base):
            __tablename__ = "child"
            id: Mapped[int] = mapped_column(primary_key=True)
            parent_id: Mapped[Any] = mapped_column(kind, ForeignKey("parent.id"))
            size: Mapped[int] = mapped_column(default=1)

        class Parent(Base):
            __tablename__ = "parent"
            id: Mapped[Any] = mapped_column(kind, primary_key=True)
            n: Mapped[int]
            total: Mapped[int | None] = mapped_column()
            children: Mapped[list[Child]] = relationship()

            @aw.derived(total)
            def compute_total(self) -> int:
                world.ran.append(str(self.n % 10))
                return self.n + sum(child.size for child in self.children)

        self.Parent, self.Child, self.Ticket = Parent, Child, SysAsyncTicket
        self.app = aw.Afterwork(Base)
        open_with(self.engine, Base, self._create)

    def _create(self, engine: Engine) -> None:
        create_type(engine, self.key.kind)
        self.Child.metadata.create_all(engine)

    def add_parents(self) -> None:
        with Session(self.engine) as session, session.begin():
            session.add_all(self.Parent(id=self.key.of(n), n=n) for n in (1, 2, 3))

    def runs(self) -> list[str]:
        """Run all that is due. Returns the last digits of the parents that ran: one that can't be stored at once has
        its function called again."""
        self.app.run_until_idle(self.engine)
        ran, self.ran[:] = sorted(set(self.ran)), []
        return ran

    def totals(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT total FROM parent ORDER BY n")).scalars())

    def sql(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def world(engine: Engine, key: Key) -> World:
    return World(engine, key)


@each("key", sqlite=ON_BOTH | ON_SQLITE, postgresql=ON_BOTH | ON_POSTGRESQL)
def test_caches_are_filled_and_follow_and_run_for_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "CHUNK_SIZE", 2)
    world.add_parents()
    world.app.install(world.engine)
    assert world.runs() == ["1", "2", "3"]  # filled
    assert world.totals() == [1, 2, 3]

    with Session(world.engine) as session, session.begin():
        session.add(world.Child(parent_id=world.key.of(2)))
    ran = world.runs()
    assert ran == ["2"] or not world.key.is_exact
    assert world.totals() == [1, 3, 3]

    with world.engine.begin() as connection:
        connection.execute(update(world.Parent).where(world.Parent.n == 3).values(n=13))
    ran = world.runs()
    assert ran == ["3"] or not world.key.is_exact
    assert world.totals() == [1, 3, 13]

    with Session(world.engine) as session, session.begin():
        session.delete(session.scalars(select(world.Parent).where(world.Parent.n == 1)).one())
    with Session(world.engine) as session, session.begin():
        session.add(world.Parent(id=world.key.of(1), n=21))
    world.runs()
    assert world.totals() == [3, 13, 21]
    assert [line.state for line in lines(world)] == ["fresh"] * 3
    assert world.app.verify(world.engine).differences == []


def lines(world: World) -> list[CacheLine]:
    return list(world.app.insight(world.engine).caches_of("Parent.total").items)


# What has no external id.


@dataclass(frozen=True)
class Odd:
    """A key of a type, in SQL, that can't be dealt with, and a word of the reason."""

    kind: Any
    literal: str
    good: str
    why: str


LONG = "x" * 1200
WIDE = "€" * 900

ODD: dict[str, dict[str, Odd]] = {
    "both": {
        "long": Odd(String(2000), f"'{LONG}'", "'a'", "too long"),
        "wide": Odd(String(2000), f"'{WIDE}'", "'a'", "too long"),
        "unknown": Odd(Enum(Mood, native_enum=False, create_constraint=False, length=20), "'HUGE'", "'SAD'", "HUGE"),
    },
    "sqlite": {
        "no_text": Odd(String(20), "CAST(x'ff41' AS TEXT)", "'a'", "utf-8"),
        "nul": Odd(String(20), "CAST(x'610062' AS TEXT)", "'a'", r"a\x00b"),
        "no_moment": Odd(DateTime(), "'yesterday'", "'2026-01-01 00:00:00.000000'", "yesterday"),
        "no_number": Odd(BigInteger(), "'none'", "1", "none"),
        "bytes_for_a_number": Odd(BigInteger(), "x'ff'", "1", "X'FF'"),
        "no_unique_id": Odd(Uuid(), "'none'", f"'{uuid.UUID(int=1).hex}'", "none"),
    },
    "postgresql": {
        "endless": Odd(DateTime(), "'infinity'", "'2026-01-01'", "Infinity"),
        "endless_zoned": Odd(DateTime(timezone=True), "'-infinity'", "'2026-01-01'", "Infinity"),
        "endless_day": Odd(Date(), "'infinity'", "'2026-01-01'", "Infinity"),
        "before_christ": Odd(DateTime(), "'0044-03-15 BC'", "'2026-01-01'", ""),
        "day_before_christ": Odd(Date(), "'0044-03-15 BC'", "'2026-01-01'", ""),
        "far_future": Odd(DateTime(), "'20000-01-01'", "'2026-01-01'", ""),
        "end_of_day": Odd(Time(), "'24:00'", "'12:00'", ""),
    },
}


@each("odd", sqlite=ODD["both"] | ODD["sqlite"], postgresql=ODD["both"] | ODD["postgresql"])
@pytest.mark.parametrize("is_filled", [True, False])
def test_a_key_that_has_no_external_id_is_the_trouble_of_its_own_object(
    engine: Engine, odd: Odd, is_filled: bool
) -> None:
    world = World(engine, Key(odd.kind, lambda n: n))
    if not is_filled:
        world.app.install(engine)
        world.runs()
    world.sql(f"INSERT INTO parent (id, n) VALUES ({odd.literal}, 1), ({odd.good}, 2)")
    if is_filled:
        world.app.install(engine)
    assert world.runs() == ["2"]
    assert world.totals() == [None, 2]
    (failed,) = [line for line in lines(world) if line.state == "failed"]
    assert odd.why in (failed.error or "")
    assert "external id" in str(world.app.insight(engine).explain(failed.root_id, "total"))

    world.sql("UPDATE parent SET n = n + 10")
    assert world.runs() == ["2"]
    assert world.totals() == [None, 12]

    world.sql(f"DELETE FROM parent WHERE id = {odd.good}")
    world.sql(f"UPDATE parent SET id = {odd.good}")
    assert world.runs() == ["1"]
    assert world.totals() == [11]
    assert [line.state for line in lines(world)] == ["fresh"]


@pytest.mark.parametrize("odd", [ODD["both"]["long"], ODD["both"]["wide"], ODD["sqlite"]["nul"]])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_explain_tells_of_an_object_whose_key_has_no_external_id(engine: Engine, odd: Odd) -> None:
    world = World(engine, Key(odd.kind, lambda n: n))
    world.app.install(engine)
    world.sql(f"INSERT INTO parent (id, n) VALUES ({odd.literal}, 1)")
    world.runs()
    with Session(engine) as session:
        explanation = world.app.explain(session.scalars(select(world.Parent)).one(), "total")
    assert explanation.state == "failed"
    assert odd.why in (explanation.error or "")


# What the model would write in another way.


class Lower(TypeDecorator[str]):
    """Stores texts in lower case."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.lower()


@dataclass(frozen=True)
class Foreign:
    """A key of a type, in SQL, as another program writes it, and the same key as the model writes it."""

    kind: Any
    literal: str
    mended: str


FOREIGN: dict[str, dict[str, Foreign]] = {
    "both": {"case": Foreign(Lower(20), "'A'", "'a'")},
    "sqlite": {
        "no_fraction": Foreign(DateTime(), "'2026-01-01 10:00:00'", "'2026-01-01 10:00:00.000000'"),
        "letter_t": Foreign(DateTime(), "'2026-01-01T10:00:00'", "'2026-01-01 10:00:00.000000'"),
        "no_seconds": Foreign(Time(), "'10:00'", "'10:00:00.000000'"),
        "dashes": Foreign(Uuid(), f"'{uuid.UUID(int=7)}'", f"'{uuid.UUID(int=7).hex}'"),
        "upper_case": Foreign(Uuid(as_uuid=False), f"'{'AB' * 16}'", f"'{'ab' * 16}'"),
        "span": Foreign(Interval(), "'1970-01-02 00:00:00'", "'1970-01-02 00:00:00.000000'"),
        "truth": Foreign(Boolean(), "2", "1"),
    },
    "postgresql": {"rounded": Foreign(REAL(), "0.1", "0.5")},
}


@each("foreign", sqlite=FOREIGN["both"] | FOREIGN["sqlite"], postgresql=FOREIGN["both"] | FOREIGN["postgresql"])
@pytest.mark.parametrize("is_filled", [True, False])
def test_a_row_that_is_not_found_by_its_own_key_has_failed_until_the_key_is_rewritten(
    engine: Engine, foreign: Foreign, is_filled: bool
) -> None:
    world = World(engine, Key(foreign.kind, lambda n: n))
    if not is_filled:
        world.app.install(engine)
        world.runs()
    world.sql(f"INSERT INTO parent (id, n) VALUES ({foreign.literal}, 1)")
    if is_filled:
        world.app.install(engine)
    assert world.runs() == []
    (failed,) = lines(world)
    assert failed.state == "failed"
    assert not any(world.totals())
    assert "another way than the model writes it" in (failed.error or "")

    world.sql(f"UPDATE parent SET id = {foreign.mended}")
    assert world.runs() == ["1"]
    assert world.totals() == [1]
    assert [line.state for line in lines(world)] == ["fresh"]

    world.sql(f"UPDATE parent SET id = {foreign.literal}")
    world.runs()
    assert [line.state for line in lines(world)] == ["failed"]
    world.sql("DELETE FROM parent")
    world.runs()
    assert lines(world) == []


def test_another_row_with_the_key_as_the_model_writes_it_is_calculated_and_the_first_is_not(engine: Engine) -> None:
    world = World(engine, Key(Lower(20), lambda n: n))
    world.app.install(engine)
    world.sql("INSERT INTO parent (id, n) VALUES ('A', 1), ('a', 2)")
    assert world.runs() == ["2"]
    assert world.totals() == [None, 2]
    assert sorted(line.state for line in lines(world)) == ["failed", "fresh"]
    world.sql("DELETE FROM parent WHERE id = 'A'")
    world.runs()
    assert [(line.root_id, line.state) for line in lines(world)] == [("Parent!a", "fresh")]


IGNORING = {
    "sqlite": (
        "CREATE TRIGGER ignoring BEFORE UPDATE OF total ON parent WHEN OLD.n = 2 BEGIN SELECT RAISE(IGNORE); END",
    ),
    "postgresql": (
        "CREATE FUNCTION ignoring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER ignoring BEFORE UPDATE OF total ON parent FOR EACH ROW WHEN (OLD.n = 2)"
        " EXECUTE FUNCTION ignoring()",
    ),
}


def test_a_value_that_finds_no_row_to_be_written_into_has_failed_alone(engine: Engine) -> None:
    world = World(engine, ON_BOTH["whole"])
    world.add_parents()
    for statement in IGNORING[engine.dialect.name]:
        world.sql(statement)
    world.app.install(engine)
    world.runs()
    assert world.totals() == [1, None, 3]
    (failed,) = [line for line in lines(world) if line.state == "failed"]
    assert failed.root_id == "Parent!2"
    assert "can't be stored" in (failed.error or "")


def test_an_object_is_calculated_once_newer_code_knows_its_key(engine: Engine) -> None:
    class Newer(enum.Enum):
        SAD = "a little sad"
        HUGE = "huge"

    def kind(known: type[enum.Enum]) -> Any:
        return Enum(known, native_enum=False, create_constraint=False, length=20)

    older = World(engine, Key(kind(Mood), lambda n: n))
    older.app.install(engine)
    older.sql("INSERT INTO parent (id, n) VALUES ('HUGE', 1), ('SAD', 2)")
    assert older.runs() == ["2"]
    # Newer code is another process. SQLAlchemy takes enums of other values for equal, and would use older statements.
    another = create_engine(engine.url)
    newer = World(another, Key(kind(Newer), lambda n: n))
    newer.app.install(another)
    assert newer.runs() == ["1"]
    assert newer.totals() == [1, 2]
    assert [line.state for line in lines(newer)] == ["fresh", "fresh"]
    another.dispose()
