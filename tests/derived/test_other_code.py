"""While servers are replaced one by one, those with the old code of a cache leave it to those with the new."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.events import OtherCode, Point, Reached
from tests.derived.long_running import refresher, worker_of
from tests.support.world import World

SETTINGS = [
    pytest.param(aw.Settings(at_once=timedelta(0)), id="claiming"),
    pytest.param(aw.Settings(at_once=timedelta(seconds=5)), id="at-once"),
]


def once(self: Any) -> int:
    return int(self.size)


def twice(self: Any) -> int:
    return int(self.size) * 2


@cache
def model(calculation: Callable[[Any], int]) -> type[DeclarativeBase]:
    """Boxes whose value is calculated by some code, and that know how often they were counted, by code that stays."""

    class Base(DeclarativeBase):
        kept: ClassVar[list[Any]]  # SQLAlchemy itself does not keep classes from being forgotten

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Box(Base):
        __tablename__ = "box"
        id: Mapped[int] = mapped_column(primary_key=True)
        size: Mapped[int]
        other: Mapped[int]
        value: Mapped[int] = mapped_column(default=0)
        same: Mapped[int] = mapped_column(default=0)
        compute_value = aw.derived(value)(calculation)

        @aw.derived(same)
        def compute_same(self) -> int:
            return self.other

    Base.kept = [SysAsyncTicket, Box]
    return Base


def two_boxes(engine: Engine) -> None:
    with engine.begin() as connection:
        values = "(1, 1, 1, 0, 0), (2, 2, 2, 0, 0)"
        connection.execute(text(f"INSERT INTO box (id, size, other, value, same) VALUES {values}"))
    aw.Afterwork(model(once)).run_until_idle(engine)


class Deploy:
    """A server with the old code that goes on, and one with the new that can be started."""

    def __init__(self, engine: Engine, settings: aw.Settings) -> None:
        self.old = World(engine, model(once), settings=settings, first=two_boxes)
        self.new = replace(self.old, base=model(twice), seen=[], first=None)
        self.engine = engine
        self.refresher, self.connection = refresher(self.old.app, engine)

    def sql(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def old_runs(self) -> list[str]:
        """What the old server runs that goes on."""
        ran = self.refresher.work(self.connection, worker_of(self.refresher))
        return [f"{run.work} {run.root_id}" for some in ran for run, _ in some]

    def new_runs(self) -> list[str]:
        return [f"{one.run.work} {one.run.root_id}" for one in self.new.run()]

    def values(self) -> list[tuple[int, int]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("SELECT value, same FROM box ORDER BY id"))]


@pytest.fixture(params=SETTINGS)
def deploy(engine: Engine, request: pytest.FixtureRequest) -> Any:
    found = Deploy(engine, request.param)
    yield found
    found.connection.close()


def test_all_values_are_made_by_the_new_code(deploy: Deploy) -> None:
    assert deploy.values() == [(1, 1), (2, 2)]

    assert sorted(deploy.new_runs()) == ["Box.value Box!1", "Box.value Box!2"]

    assert deploy.values() == [(2, 1), (4, 2)]


def test_a_server_with_the_old_code_leaves_the_cache_to_others_and_says_so(deploy: Deploy) -> None:
    deploy.new_runs()
    deploy.sql("UPDATE box SET size = 10, other = 7 WHERE id = 1")

    assert deploy.old_runs() == ["Box.same Box!1"]
    assert deploy.values() == [(2, 7), (4, 2)]
    assert [event for event in deploy.old.seen if isinstance(event, OtherCode)] == [OtherCode("Box.value")]

    assert deploy.new_runs() == ["Box.value Box!1"]
    assert deploy.values() == [(20, 7), (4, 2)]


def test_new_objects_get_their_values_whoever_notes_them(deploy: Deploy) -> None:
    deploy.new_runs()
    deploy.sql("INSERT INTO box (id, size, other, value, same) VALUES (3, 3, 3, 0, 0)")

    assert deploy.old_runs() == ["Box.same Box!3"]
    assert deploy.new_runs() == ["Box.value Box!3"]

    assert deploy.values()[2] == (6, 3)


@pytest.mark.parametrize("point", ["claimed", "ran"])
def test_what_the_old_code_came_to_is_not_stored_after_the_new_has_come(deploy: Deploy, point: Point) -> None:
    if deploy.old.settings.at_once:
        pytest.skip("at once, nobody can come in between")
    todo = [deploy.new_runs]

    def new_server(event: Any) -> None:
        if event == Reached(point, "Box.value") and todo:
            todo.pop()()

    deploy.connection.close()
    deploy.refresher, deploy.connection = refresher(
        aw.Afterwork(deploy.old.base, clock=deploy.old.clock, on_event=new_server, settings=deploy.old.settings),
        deploy.engine,
    )
    deploy.sql("UPDATE box SET size = 10 WHERE id = 1")

    deploy.old_runs()
    assert not todo
    deploy.new_runs()

    assert deploy.values() == [(20, 1), (4, 2)]
    assert deploy.old_runs() == []


def test_the_server_that_starts_last_decides(deploy: Deploy) -> None:
    deploy.new_runs()

    assert sorted(f"{one.run.work} {one.run.root_id}" for one in deploy.old.run()) == [
        "Box.value Box!1",
        "Box.value Box!2",
    ]
    assert deploy.values() == [(1, 1), (2, 2)]


def test_what_waits_for_other_servers_holds_up_nothing(deploy: Deploy) -> None:
    deploy.new_runs()
    deploy.sql("UPDATE box SET size = 10 WHERE id = 1")
    assert deploy.old_runs() == []

    deploy.sql("UPDATE box SET other = 8 WHERE id = 2")
    deploy.old.seen.clear()

    assert deploy.old_runs() == ["Box.same Box!2"]
    claimed = Reached("claimed", "Box.same") in deploy.old.seen
    assert claimed is not bool(deploy.old.settings.at_once)
