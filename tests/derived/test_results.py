"""What a column makes of a result is no other result: nothing is written, nobody is woken, `verify` is content. What
Python can tell apart is written, though SQL or Python hold it for equal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.derived.result_cases import BOTH, CASES, Case
from tests.derived.stale_scene import Scene
from tests.support.world import statements

BEFORE = {
    "sqlite": [],
    "postgresql": [
        "CREATE DOMAIN cents AS numeric(8, 2)",
        "CREATE DOMAIN amount AS cents CHECK (VALUE < 100)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO written VALUES (tg_table_name); RETURN NULL; END $$",
    ],
}
NOTE = {
    "sqlite": "CREATE TRIGGER note_{0} AFTER UPDATE ON {0} FOR EACH ROW BEGIN INSERT INTO written VALUES ('{0}'); END",
    "postgresql": "CREATE TRIGGER note AFTER UPDATE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION note()",
}


class Model:
    """A class for each case, whose objects have as their result what the test says next."""

    def __init__(self, cases: dict[str, Case]) -> None:
        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        class Switch(Base):
            """What all results are made of, so that all are calculated again."""

            __tablename__ = "switch"
            id: Mapped[int] = mapped_column(primary_key=True)
            n: Mapped[int]

        self.base, self.switch, self.ticket = Base, Switch, SysAsyncTicket
        self.now: dict[str, Any] = {}
        self.classes = {
            name: self._item(f"item_{number}", name, case) for number, (name, case) in enumerate(cases.items())
        }

    def _item(self, table: str, name: str, case: Case) -> Any:
        def compute_result(item: Any) -> Any:
            _ = aw.session(item).get_one(self.switch, 1).n
            return self.now[name]

        result = mapped_column(case.kind, nullable=True)
        members = {
            "__tablename__": table,
            "id": mapped_column(Integer, primary_key=True),
            "result": result,
            "compute_result": aw.derived(result)(compute_result),
        }
        return type(table, (self.base,), members)


@cache
def model_of(dialect: str, names: tuple[str, ...]) -> Model:
    return Model({name: CASES[dialect][name] for name in names})


@dataclass
class Tables(Scene):
    """A database with a table for each case."""

    cases: Mapping[str, Case] = field(default_factory=dict)

    def prepare(self, engine: Engine) -> None:
        with engine.begin() as connection:
            for statement in (*BEFORE[engine.dialect.name], "CREATE TABLE written (name TEXT)"):
                connection.exec_driver_sql(statement)
            for number, case in enumerate(self.cases.values()):
                if case.declared:
                    columns = f"id INTEGER PRIMARY KEY, result {case.declared}"
                    connection.exec_driver_sql(f"CREATE TABLE item_{number} ({columns})")
        super().prepare(engine)


class Results:
    """Objects with a result for each case. Writes of them are noted."""

    def __init__(self, engine: Engine, cases: dict[str, Case] | None = None, rows: int = 2) -> None:
        self.cases, self.rows = cases or CASES[engine.dialect.name], rows
        model = model_of(engine.dialect.name, tuple(self.cases))
        self.switch, self.classes, self.now = model.switch, model.classes, model.now
        self.now.update({name: case.same[0] for name, case in self.cases.items()})
        self.scene = Tables(engine, model.base, first=self._add_rows, cases=self.cases)

    def _add_rows(self, engine: Engine) -> None:
        with Session(engine) as session, session.begin():
            session.add(self.switch(id=1, n=1))
            session.add_all(cls(id=number) for cls in self.classes.values() for number in range(self.rows))
        aw.Afterwork(self.switch.registry).run_until_idle(engine)
        with engine.begin() as connection:
            for cls in self.classes.values():
                connection.exec_driver_sql(NOTE[engine.dialect.name].format(cls.__tablename__))

    def become(self, results: dict[str, Any]) -> None:
        """Have all of them calculated again. Those of these cases come to something else."""
        self.now.update(results)
        self.scene.sql("DELETE FROM written", "UPDATE switch SET n = n + 1")
        assert len(self.scene.run()) == self.rows * len(self.cases)

    @property
    def written(self) -> set[str]:
        """The cases whose results were written."""
        with self.scene.session() as session:
            tables = set(session.scalars(text("SELECT name FROM written")))
        return {name for name, cls in self.classes.items() if cls.__tablename__ in tables}

    @property
    def verified(self) -> set[str]:
        """The cases of which `verify` says that something else is stored."""
        tables = {one.name.partition(".")[0]: str(one) for one in self.scene.app.verify(self.scene.engine).differences}
        return {f"{name}: {tables[cls.__name__]}" for name, cls in self.classes.items() if cls.__name__ in tables}


@pytest.fixture
def results(engine: Engine) -> Results:
    return Results(engine)


def test_what_a_column_makes_of_a_result_is_neither_written_again_nor_a_difference(results: Results) -> None:
    for place in range(max(len(case.same) for case in results.cases.values())):
        results.become({name: case.same[place % len(case.same)] for name, case in results.cases.items()})
        assert results.written == set()
        assert results.verified == set()


def test_a_result_that_python_can_tell_apart_is_written(results: Results) -> None:
    for place in range(max(len(case.others) for case in results.cases.values())):
        others = {name: case.others[place] for name, case in results.cases.items() if place < len(case.others)}
        results.become(others)
        assert results.written == set(others)
        assert results.verified == set()


ORDINARY = {"text", "decimals with a scale", "floats", "moments", "enumeration", "UUID", "bytes", "truth in JSON"}


def test_the_database_is_asked_only_about_what_is_unsure(engine: Engine) -> None:
    """Of ordinary columns only the type is looked up, once for each server."""
    results = Results(engine, {name: BOTH[name] for name in ORDINARY})
    results.become({name: results.cases[name].others[0] for name in ORDINARY})
    with statements(results.scene.engine) as sent:
        results.become({name: results.cases[name].same[0] for name in ORDINARY})

    assert results.written == ORDINARY
    looked_up = [one for one in sent if "WITH RECURSIVE kind" in one or "SELECT type FROM pragma_table_info" in one]
    assert len(looked_up) == len(ORDINARY)
    assert [one for one in sent if " AS b0" in one] == []


def test_one_statement_asks_about_all_values_of_a_batch(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("there it is always known")
    results = Results(engine, {"single precision": CASES["postgresql"]["single precision"]}, rows=20)
    results.become({})
    with statements(engine) as sent:
        results.become({})

    assert 1 <= len([one for one in sent if " AS b0" in one]) < 5


def test_fresh_gives_what_would_be_read_if_it_were_stored(engine: Engine) -> None:
    names = {"decimals with a scale", "tuple in JSON", "lower case", "padded text", "single precision"}
    cases = {name: case for name, case in CASES[engine.dialect.name].items() if name in names}
    results = Results(engine, cases, rows=1)
    for name, case in cases.items():
        results.now[name] = case.others[0]
    results.scene.sql("UPDATE switch SET n = 2")
    with results.scene.session() as session:
        fresh = {name: aw.fresh(session.get_one(results.classes[name], 0), "result") for name in cases}

    results.scene.run()

    with results.scene.session() as session:
        assert fresh == {name: session.get_one(results.classes[name], 0).result for name in cases}
