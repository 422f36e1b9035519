"""A cache that is new, or whose code has changed, runs on all objects that were there before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.cli.caches import cache_lines
from afterwork.derived.compute import backfill
from afterwork.server.until_idle import run_until_idle
from afterwork.store.dialects import database_of
from tests.derived.stale_scene import Base, Scene, Shelf, first

COUNT = 7


class Old(Scene):
    """Shelves that were there before caches were."""

    def prepare(self, engine: Engine) -> None:
        self.base.metadata.create_all(engine)
        with Session(engine) as session, session.begin():
            session.add_all(Shelf(id=n, size=n) for n in range(1, COUNT + 1))
        self.app.install(engine)


@pytest.fixture
def old(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Old shelves, which are filled two at a time."""
    monkeypatch.setattr(backfill, "CHUNK_SIZE", 2)
    return Old(engine, Base)


@contextmanager
def dies_after(scene: Scene, batches: int) -> Iterator[list[str]]:
    """A process that dies after some batches. Yields what had run."""
    database = database_of(scene.engine, scene.settings)
    connection = database.connect()
    try:
        running = run_until_idle(scene.app.runner(database, connection), connection)
        done = [f"{run.work} {run.root_id}" for ran in first(running, batches) for run, _ in ran]
        del running
        yield done
    finally:
        connection.close()


def progress(scene: Scene) -> dict[str, tuple[int, int | None, bool]]:
    found = scene.app.insight(scene.engine).caches()
    return {one.name: (one.backfill.done, one.backfill.total, one.backfill.is_complete) for one in found}


def test_all_objects_that_were_there_are_filled_once(old: Scene) -> None:
    ran = old.runs()

    assert len(ran) == len(set(ran)) == 3 * COUNT
    assert [shelf.value for shelf in old.all(Shelf)] == list(range(1, COUNT + 1))
    assert set(progress(old).values()) == {(COUNT, COUNT, True)}
    assert old.runs() == []
    assert old.is_quiet()


def test_it_goes_on_where_a_process_died(old: Scene) -> None:
    with dies_after(old, batches=2) as done:
        assert 0 < len(done) < 3 * COUNT
        found = progress(old)
        assert any(0 < filled < COUNT and not is_filled for filled, _, is_filled in found.values()), found
        shown = list(cache_lines(old.app.insight(old.engine).caches(), old.clock.now()))
        assert any("%" in line for line in shown), shown

    rest = old.runs()

    assert sorted([*done, *rest]) == sorted(
        f"Shelf.{member} Shelf!{n}" for member in ("value", "label", "extra") for n in range(1, COUNT + 1)
    )


def test_new_objects_come_first(old: Scene) -> None:
    with dies_after(old, batches=1):
        pass
    old.sql("INSERT INTO shelf (id, sort, size, value, touched) VALUES (99, 'good', 9, 0, 0)")

    ran = old.runs()

    newest = [place for place, one in enumerate(ran) if one.endswith("!99")]
    assert newest == [0, 1, 2], ran


def test_it_runs_again_after_the_code_has_changed(old: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    old.runs()
    old.clock.advance(timedelta(seconds=1))
    monkeypatch.setattr(vars(Shelf)["compute_value"], "function", lambda self: self.size * 10)
    for cache in old.app.model.derivations.values():
        monkeypatch.delitem(vars(cache), "checksum", raising=False)  # another program has not worked it out yet

    assert sorted(old.runs()) == [f"Shelf.value Shelf!{n}" for n in range(1, COUNT + 1)]
    assert [shelf.value for shelf in old.all(Shelf)] == [10 * n for n in range(1, COUNT + 1)]
    assert old.runs() == []


def test_a_failing_object_does_not_hinder_filling(old: Scene, behave: Callable[..., None]) -> None:
    old.sql("UPDATE shelf SET sort = 'bad' WHERE id = 3")
    behave(lambda shelf: 1 / 0)

    old.runs()

    assert "ZeroDivisionError" in old.failed(3, "value")
    assert [shelf.value for shelf in old.all(Shelf)] == [1, 2, 0, 4, 5, 6, 7]
    assert progress(old)["Shelf.value"] == (COUNT, COUNT, True)


def test_an_object_that_is_deleted_while_filling_is_left_out(old: Scene) -> None:
    with dies_after(old, batches=1):
        pass
    old.sql("DELETE FROM shelf WHERE id IN (2, 4, 7)")

    old.runs()

    assert [shelf.value for shelf in old.all(Shelf)] == [1, 3, 5, 6]
    assert old.value("SELECT count(*) FROM afterwork_cache") == 3 * 4
    assert old.is_quiet()


def test_an_empty_table_is_filled_at_once(engine: Engine) -> None:
    empty = Scene(engine, Base)

    assert empty.runs() == []
    assert set(progress(empty).values()) == {(0, 0, True)}


def test_what_is_left_out_or_untracked_makes_nothing_stale(old: Scene, behave: Callable[..., None]) -> None:
    old.sql("UPDATE shelf SET sort = 'bad'")

    def reads(self: Shelf) -> int:
        with aw.untracked():
            size = self.size
        return self.touched + size

    behave(reads)
    old.runs()

    old.sql("UPDATE shelf SET touched = 5", "UPDATE shelf SET size = 3", "INSERT INTO log (id) VALUES (1)")

    assert old.runs() == []


def test_what_is_named_makes_stale_though_it_is_not_read(old: Scene, behave: Callable[..., None]) -> None:
    old.sql("UPDATE shelf SET sort = 'bad' WHERE id = 1")

    def names(self: Shelf) -> int:
        from tests.derived.stale_scene import Book

        aw.depends_on(Book)
        return 1

    behave(names)
    old.runs()

    old.sql("INSERT INTO book (id, shelf_id, title) VALUES (1, 5, 'x')")

    assert sorted(old.runs()) == ["Shelf.label Shelf!5", "Shelf.value Shelf!1"]


@pytest.mark.parametrize("thing", ["text", 5, None])
def test_what_can_be_no_dependency_is_told(thing: object, old: Scene, behave: Callable[..., None]) -> None:
    old.sql("UPDATE shelf SET sort = 'bad' WHERE id = 1")

    def names(self: Shelf) -> int:
        aw.depends_on(thing)
        return 1

    behave(names)
    old.runs()

    assert "is no dependency. Name a mapped class" in old.failed(1, "value")
