"""Rows that the program hides: their caches rest, and are right when they are seen again."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from tests.derived.kinds_of_objects import BEGIN, Base, Owner, Task, counted, write, wrong
from tests.support.prepared import installed


def not_deleted(state: ORMExecuteState) -> None:
    """As SQLAlchemy's documentation shows it."""
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        only = with_loader_criteria(Task, lambda cls: cls.deleted.is_(False), include_aliases=True)
        state.statement = state.statement.options(only)


def of_active_owners(state: ORMExecuteState) -> None:
    """By another table."""
    statement: Any = state.statement
    if Task in [found.get("entity") for found in getattr(statement, "column_descriptions", ())]:
        state.statement = statement.where(Task.owner.has(Owner.active.is_(True)))


@pytest.fixture(params=[not_deleted, of_active_owners])
def hiding(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A program that hides tasks; what hides the first one, and what shows it again."""
    event.listen(Session, "do_orm_execute", request.param)
    if request.param is not_deleted:
        yield "UPDATE task SET deleted = true WHERE id = 1", "UPDATE task SET deleted = false"
    else:
        yield "UPDATE owner SET active = false", "UPDATE owner SET active = true"
    event.remove(Session, "do_orm_execute", request.param)


def test_what_is_hidden_rests_and_is_right_when_it_is_seen_again(engine: Engine, hiding: tuple[str, str]) -> None:
    hide, show = hiding
    app = installed(engine, Base)
    for statement in BEGIN:
        write(engine, statement)
    app.run_until_idle(engine)
    assert wrong(engine) == []
    write(engine, f"{hide}; UPDATE task SET name = 'sleep' WHERE id = 1")
    app.run_until_idle(engine)
    assert wrong(engine) == []
    write(engine, "UPDATE task SET name = 'wake' WHERE id = 1")
    assert app.run_until_idle(engine) == []
    assert counted(engine)["Task.shown"] == 2
    write(engine, show)
    app.run_until_idle(engine)
    assert wrong(engine) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT shown FROM task WHERE id = 1")).scalar() == "WAKE"
        assert connection.execute(text("SELECT text FROM reminder WHERE task_id = 1")).scalar() == "wake"
    write(engine, f"{hide}; DELETE FROM task WHERE id = 1")
    app.run_until_idle(engine)
    assert counted(engine)["Task.shown"] == 1


def test_what_hides_others_makes_nothing_run(engine: Engine) -> None:
    event.listen(Session, "do_orm_execute", not_deleted)
    try:
        app = installed(engine, Base)
        for statement in BEGIN:
            write(engine, statement)
        app.run_until_idle(engine)
        write(engine, "UPDATE task SET deleted = true WHERE id = 1")
        write(engine, "INSERT INTO task (id, name, deleted, owner_id) VALUES (3, 'rest', false, 1)")
        ran = [ended.run.root_id for ended in app.run_until_idle(engine) if ended.run.work == "Task.shown"]
        assert ran == ["Task!3"]
    finally:
        event.remove(Session, "do_orm_execute", not_deleted)
