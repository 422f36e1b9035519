"""Installing watches tables once, follows the model, and tells where changes may have been missed."""

from collections.abc import Callable

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, text

from tests.capture.conftest import Captured

Start = Callable[..., Captured]


def part(*more: str) -> Table:
    columns = (Column(name, Integer) for name in more)
    return Table("part", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text), *columns)


@pytest.fixture
def parts(captured: Start) -> Captured:
    return captured(part())


def test_installing_twice_does_nothing(captured: Start) -> None:
    found = captured(part(), watched=[])
    first = found.install([part()])
    assert [line for line in first.lines if "journal" not in line] == ["changes of part captured"]
    assert first.missed == []
    assert found.problems() == []
    assert found.install() == found.install([part()])
    assert found.install().lines == ()


def test_what_is_not_installed_yet_is_a_problem(captured: Start) -> None:
    found = captured(part(), watched=[])
    found.tables = [part()]
    (problem,) = found.problems()
    assert (problem.table, problem.what) == ("part", "is not captured yet")


def test_a_model_that_has_grown_a_column(parts: Captured) -> None:
    before = parts.watches.by_id[1]
    parts.run("ALTER TABLE part ADD COLUMN size INTEGER")
    parts.tables = [part("size")]
    (problem,) = parts.problems()
    assert "older model" in problem.what

    done = parts.install()

    after = parts.watches.by_id[1]
    assert done.lines == ("changes of part captured anew: columns are captured that were not before",)
    assert done.missed == ["part"]
    assert (after.columns, after.valued) == ((*before.columns, "size"), (*before.valued, "size"))
    parts.run("INSERT INTO part (id, name, size) VALUES (1, 'a', 2)")
    assert parts.run("UPDATE part SET size = 3") == ["U part 1 size"]
    assert parts.install().lines == ()
    assert parts.problems() == []


def test_a_column_that_the_model_has_no_more_keeps_its_bit(parts: Captured) -> None:
    parts.run("ALTER TABLE part ADD COLUMN size INTEGER", "ALTER TABLE part ADD COLUMN weight INTEGER")
    parts.install([part("size", "weight")])
    parts.install([part("weight")])

    assert parts.watches.by_id[1].columns == ("id", "name", "size", "weight")
    with parts.engine.begin() as connection:
        connection.execute(text("INSERT INTO part (id, size, weight) VALUES (1, 5, 7)"))
    (come,) = parts.changes()
    assert parts.image(come) == {"id": "1", "name": None, "size": None, "weight": "7"}
    assert parts.run("UPDATE part SET size = 6") == []
    assert parts.run("UPDATE part SET weight = 6") == ["U part 1 weight"]


def test_a_table_that_is_not_to_be_watched_any_more(parts: Captured) -> None:
    done = parts.install([])

    assert (done.lines, done.missed) == (("changes of part captured no more",), ["part"])
    assert parts.run("INSERT INTO part (id) VALUES (1)") == []
    assert parts.install().lines == ()
    assert parts.install([part()]).lines == ("changes of part captured",)
    assert parts.run("INSERT INTO part (id) VALUES (2)") == ["I part 2"]


def test_a_missing_trigger_is_found_and_brought_back(parts: Captured) -> None:
    name = "afterwork_1_update" if parts.on_sqlite else "afterwork_1_update ON part"
    parts.run(f"DROP TRIGGER {name}")

    (problem,) = parts.problems()
    assert problem.table == "part"
    assert problem.what.endswith("is missing")
    done = parts.install()
    assert done.missed == ["part"]
    assert parts.problems() == []
    assert parts.install().lines == ()


def test_a_trigger_that_was_changed_is_found_and_put_right(parts: Captured) -> None:
    if parts.on_sqlite:
        parts.run(
            "DROP TRIGGER afterwork_1_delete",
            "CREATE TRIGGER afterwork_1_delete AFTER DELETE ON part BEGIN SELECT 1; END",
        )
    else:
        parts.run(
            "CREATE OR REPLACE FUNCTION afterwork_capture_1() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END'"
        )
    (problem,) = parts.problems()
    assert problem.what == "what writes its changes down was replaced"
    assert parts.install().missed == ["part"]
    parts.run("INSERT INTO part (id) VALUES (2)")
    assert parts.run("DELETE FROM part") == ["D part 2"]


def test_a_table_that_was_made_again_is_watched_again(parts: Captured) -> None:
    parts.run("DROP TABLE part", "CREATE TABLE part (id INTEGER PRIMARY KEY, name TEXT)")
    assert parts.problems() != []
    assert parts.install().missed == ["part"]
    assert parts.run("INSERT INTO part (id) VALUES (2)") == ["I part 2"]


def test_a_table_that_is_gone(parts: Captured) -> None:
    parts.run("DROP TABLE part")
    (problem,) = parts.problems()
    assert problem.what == "is gone or has another name"
    assert parts.install().lines == ("changes of part captured no more",)
    assert parts.problems() == []


def test_a_column_that_is_gone_or_has_another_name(parts: Captured) -> None:
    parts.run("ALTER TABLE part RENAME COLUMN name TO title")

    first, *others = parts.problems()
    assert first.what == "has no column name"
    assert all("Install again, with" not in problem.advice for problem in others)
    # Those who write are not troubled.
    assert parts.run("INSERT INTO part (id, title) VALUES (1, 'a')") == ["I part 1"]
    if not parts.on_sqlite:
        parts.run("ALTER TABLE part DROP COLUMN title")
        assert parts.run("UPDATE part SET id = 2") == ["D part 1", "I part 2"]
        assert parts.run("DELETE FROM part") == ["D part 2"]
    assert parts.install().missed == ["part"]
    assert parts.run("INSERT INTO part (id) VALUES (3)") == ["I part 3"]
