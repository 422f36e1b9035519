"""Which objects have a cache follows from what is there: classes that change, and rows that go and come back."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

import afterwork as aw
from tests.derived.kinds_of_objects import Base, counted, expected, the_first, write, wrong
from tests.support.prepared import begin_with

WRITES: dict[str, Sequence[str]] = {
    "another class in the same table": [
        "UPDATE person SET type = 'manager'",
        "UPDATE person SET type = 'director', name = 'Cid' WHERE id = 1",
        "UPDATE person SET type = 'person'",
        "UPDATE person SET name = 'Dan'",
        "UPDATE person SET type = 'director'",
    ],
    "another class with a table of its own": [
        "INSERT INTO boss (id, bonus) VALUES (1, 5); UPDATE employee SET type = 'boss'",
        "UPDATE boss SET bonus = 7",
        "UPDATE employee SET type = 'employee' WHERE id = 2; DELETE FROM boss WHERE id = 2",
        "INSERT INTO boss (id, bonus) VALUES (2, 9); UPDATE employee SET type = 'boss' WHERE id = 2",
    ],
    "another class by an expression": [
        "UPDATE shape SET sides = 4 WHERE id = 1",
        "UPDATE shape SET sides = 5, width = 9",
        "UPDATE shape SET sides = 4",
    ],
    "another class by another table": [
        "UPDATE animal SET kind_id = 2, legs = 3",
        "UPDATE kind SET name = 'animal'",
        "UPDATE animal SET legs = 8",
        "UPDATE kind SET name = 'horse' WHERE id = 2",
        "UPDATE kind SET id = id + 2; UPDATE kind SET id = 5 - id",
    ],
    "a class whose table is all its own": [
        "UPDATE truck SET weight = 9",
        "UPDATE car SET weight = 2; INSERT INTO car (id, weight) VALUES (2, 3); DELETE FROM truck WHERE id = 1",
    ],
    "a row that goes and comes back": [
        "DELETE FROM person WHERE id = 2; INSERT INTO person (id, type, name) VALUES (2, 'director', 'Eve')",
        "DELETE FROM boss; DELETE FROM employee",
        "INSERT INTO employee (id, type, salary) VALUES (2, 'employee', 1), (3, 'boss', 1);"
        " INSERT INTO boss (id, bonus) VALUES (3, 1)",
    ],
    "a row that gets another key": [
        "UPDATE person SET id = 12 WHERE id = 2",
        "UPDATE person SET id = 2, name = 'Fay' WHERE id = 12",
    ],
}


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    begin_with(engine, the_first)
    return aw.Afterwork(Base)


@pytest.mark.parametrize("kind", WRITES)
def test_values_are_those_of_the_class_that_an_object_has_by_now(engine: Engine, app: aw.Afterwork, kind: str) -> None:
    assert wrong(engine) == []
    for statements in WRITES[kind]:
        write(engine, statements)
        app.run_until_idle(engine)
        assert wrong(engine) == []
    assert counted(engine) == expected(engine)
