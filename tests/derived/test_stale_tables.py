"""Tables and rows that are not what caches need: gone, renamed, altered, views, without a key, not captured."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import NotCaptured
from afterwork.events import Event, Reached
from tests.derived.stale_scene import Scene, Shelf


@pytest.mark.parametrize(
    ("do", "undo", "said"),
    [
        ("DROP TABLE book", "CREATE TABLE book (id INTEGER PRIMARY KEY, shelf_id INTEGER, title TEXT)", "book"),
        ("ALTER TABLE book RENAME TO tome", "ALTER TABLE tome RENAME TO book", "book"),
        ("ALTER TABLE book RENAME COLUMN title TO name", "ALTER TABLE book RENAME COLUMN name TO title", "title"),
    ],
)
def test_a_table_that_is_not_what_it_was_fails_who_reads_it(do: str, undo: str, said: str, shelves: Scene) -> None:
    shelves.runs()
    shelves.sql(do, "UPDATE shelf SET size = size + 10, label = label || '!'")
    shelves.sql("INSERT INTO shelf (id, sort, size, value, touched) VALUES (4, 'good', 14, 0, 0)")

    shelves.runs()

    assert said in shelves.failed(4, "label")
    assert [row[0] for row in _rows(shelves, "SELECT value FROM shelf ORDER BY id")] == [11, 12, 13, 14]
    assert any(not finding.right for finding in shelves.app.insight(shelves.engine).check())
    assert shelves.runs() == []

    shelves.sql(undo)
    shelves.app.repair(shelves.engine)
    shelves.clock.advance(timedelta(hours=2))
    shelves.runs()
    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", "0", "0", "0"]
    assert shelves.explain(4, "label").state == "fresh"


def _rows(scene: Scene, statement: str) -> list[tuple[object, ...]]:
    with scene.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_a_column_that_is_added_troubles_nobody(shelves: Scene) -> None:
    shelves.runs()
    shelves.sql("ALTER TABLE book ADD COLUMN pages INTEGER", "INSERT INTO book (id, shelf_id, title) VALUES (1, 1, '')")

    assert shelves.runs() == ["Shelf.label Shelf!1"]


def test_an_object_that_is_deleted_while_it_is_calculated(shelves: Scene) -> None:
    gone: list[str] = []

    def delete(event: Event) -> None:
        if isinstance(event, Reached) and event.point == "ran" and event.work == "Shelf.value" and not gone:
            gone.append("2")
            shelves.sql("DELETE FROM shelf WHERE id = 2")

    shelves.app.events._listeners += (delete,)

    shelves.runs()

    assert gone
    assert [shelf.value for shelf in shelves.all(Shelf)] == [1, 3]
    assert shelves.value("SELECT count(*) FROM afterwork_cache WHERE root = 'Shelf!2'") == 0
    assert shelves.is_quiet()


class Other(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Other): ...


class Sum(Other):
    __tablename__ = "sum"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)

    @aw.derived(value)
    def compute_value(self) -> int:
        return aw.session(self).scalar(select(func.coalesce(func.sum(KEYLESS.c.n), 0))) or 0


KEYLESS = Table("keyless", Other.metadata, Column("n", Integer), Column("of", Integer))


class Keyless(Other):
    """SQLAlchemy takes a column for the key that the database has not."""

    __table__ = KEYLESS
    __mapper_args__ = {"primary_key": [KEYLESS.c.of]}


def test_a_table_without_a_primary_key_can_be_read(engine: Engine) -> None:
    scene = Scene(engine, Other)
    scene.sql("INSERT INTO sum (id, value) VALUES (1, 0)", "INSERT INTO keyless VALUES (2, 1), (3, 2)")
    scene.runs()
    assert scene.all(Sum)[0].value == 5

    scene.sql("UPDATE keyless SET n = 4 WHERE n = 3", "DELETE FROM keyless WHERE n = 2")

    assert scene.runs() == ["Sum.value Sum!1"]
    assert scene.all(Sum)[0].value == 4


class Seen(Other):
    __tablename__ = "seen"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)

    @aw.derived(value)
    def compute_value(self) -> int:
        view = Table("the_view", MetaData(), Column("n", Integer))
        return aw.session(self).scalar(select(func.count()).select_from(view)) or 0


def test_a_view_is_refused_and_can_be_read_untracked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(engine, Other)
    scene.sql("CREATE VIEW the_view AS SELECT 1 AS n", "INSERT INTO seen (id, value) VALUES (1, 7)")
    scene.runs()
    error = scene.failed(1, "value", Seen)
    assert "NotWatched" in error
    assert "the_view" in error
    assert scene.all(Seen)[0].value == 7

    compute: Callable[[Seen], int] = vars(Seen)["compute_value"].function

    def untracked(self: Seen) -> int:
        with aw.untracked():
            return compute(self)

    monkeypatch.setattr(vars(Seen)["compute_value"], "function", untracked)
    scene.clock.advance(timedelta(hours=2))
    scene.runs()
    assert scene.all(Seen)[0].value == 1


def test_a_cache_whose_table_is_not_captured_is_told_at_the_start(shelves: Scene) -> None:
    shelves.sql("UPDATE afterwork_tracked_table SET installed = NULL WHERE name = 'shelf'")

    with pytest.raises(NotCaptured, match=r"Shelf\.value.*changes of shelf are not captured.*app\.install"):
        shelves.runs()
    shelves.app.install(shelves.engine)
    assert len(shelves.runs()) == 9


def test_repairing_drops_the_caches_of_objects_that_were_deleted_unnoticed(shelves: Scene) -> None:
    shelves.runs()
    with shelves.engine.begin() as connection:
        if shelves.on_sqlite:
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'shelf'"
            for (name,) in connection.execute(text(triggers)).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM shelf WHERE id = 2"))
    assert shelves.value("SELECT count(*) FROM afterwork_cache WHERE root = 'Shelf!2'") == 3

    shelves.app.repair(shelves.engine)
    shelves.runs()

    assert shelves.value("SELECT count(*) FROM afterwork_cache WHERE root = 'Shelf!2'") == 0
    assert shelves.value("SELECT count(*) FROM afterwork_cache") == 6
    assert shelves.is_quiet()
