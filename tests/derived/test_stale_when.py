"""When caches run, and in which order: allow_oldness, priority, lanes, and after triggers were switched off."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.store.dialects import database_of
from afterwork.store.leases import ensure_lanes, lock_lane
from tests.derived.stale_scene import Scene, Shelf


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="")
    lax: Mapped[int] = mapped_column(default=0)
    first: Mapped[int] = mapped_column(default=0)
    last: Mapped[int] = mapped_column(default=0)
    feeder: Mapped[int] = mapped_column(default=0)

    @aw.derived(lax, allow_oldness=timedelta(minutes=5))
    def compute_lax(self) -> int:
        return self.size

    @aw.derived(last, priority=9)
    def compute_last(self) -> int:
        return self.size

    @aw.derived(feeder)
    def compute_feeder(self) -> int:
        return self.size

    @aw.derived(first, priority=1)
    def compute_first(self) -> int:
        return self.feeder


class Noting(aw.ViewModel[Thing]):
    when = aw.WhenStale(allow_oldness=timedelta(minutes=1))
    lane = "notes"

    @aw.action
    def note(self) -> None:
        self.root.note = str(self.root.size)


@pytest.fixture
def thing(engine: Engine) -> Scene:
    """One thing, of which all caches are fresh."""
    scene = Scene(engine, Base)
    scene.sql("INSERT INTO thing (id, size, note, lax, first, last, feeder) VALUES (1, 1, '', 0, 0, 0, 0)")
    scene.runs()
    scene.clock.advance(timedelta(minutes=10))
    return scene


def test_what_may_be_old_waits_and_then_runs_once(thing: Scene) -> None:
    thing.sql("UPDATE thing SET size = 2")
    assert thing.runs("Thing.lax") == ["Thing.lax Thing!1"]

    for size in (3, 4, 5):
        thing.clock.advance(timedelta(minutes=1))
        thing.sql(f"UPDATE thing SET size = {size}")
        assert thing.runs("Thing.lax") == []
    assert thing.all(Thing)[0].lax == 2
    assert thing.explain(1, "lax", Thing).state == "stale"
    thing.clock.advance(timedelta(minutes=2))

    assert thing.runs() == ["Thing.lax Thing!1"]
    assert thing.all(Thing)[0].lax == 5


def test_a_view_model_may_be_old_too(thing: Scene) -> None:
    thing.sql("UPDATE thing SET size = 2")
    assert thing.runs("Noting") == ["Noting Thing!1"]

    thing.sql("UPDATE thing SET size = 3")
    assert thing.runs("Noting") == []
    thing.clock.advance(timedelta(minutes=1))
    assert thing.runs("Noting") == ["Noting Thing!1"]
    assert thing.all(Thing)[0].note == "3"


def test_the_urgent_run_first_and_what_feeds_them_before(thing: Scene) -> None:
    thing.sql("UPDATE thing SET size = 2")

    ran = thing.runs()

    assert ran[:3] == ["Thing.feeder Thing!1", "Thing.first Thing!1", "Thing.last Thing!1"]
    assert sorted(ran[3:]) == ["Noting Thing!1", "Thing.lax Thing!1"]


def test_a_view_model_waits_for_its_lane_and_others_go_on(thing: Scene) -> None:
    thing.sql("UPDATE thing SET size = 2")
    if thing.on_sqlite:
        pytest.skip("one writer at a time: whoever has a lane has the database")
    database = database_of(thing.engine, thing.settings)
    other = database.connect()
    try:
        ensure_lanes(other, ["notes"])
        with database.transaction(other):
            assert lock_lane(other, "notes")
            assert "Thing.last Thing!1" in thing.runs()
            assert thing.all(Thing)[0].note == "1"
    finally:
        other.close()
    thing.clock.advance(timedelta(seconds=1))

    assert thing.runs() == ["Noting Thing!1"]


def miss_changes(shelves: Scene) -> None:
    """Change shelves while no trigger is there, or while all are switched off."""
    if shelves.on_sqlite:
        names = shelves.value("SELECT group_concat(name) FROM sqlite_master WHERE type = 'trigger'").split(",")
        shelves.sql(*(f'DROP TRIGGER "{name}"' for name in names))
    else:
        shelves.sql("ALTER TABLE shelf DISABLE TRIGGER USER")
    shelves.sql("UPDATE shelf SET size = 10", "INSERT INTO shelf VALUES (4, 'good', 4, 0, '', null, 0)")
    shelves.sql("DELETE FROM shelf WHERE id = 1")
    if not shelves.on_sqlite:
        shelves.sql("ALTER TABLE shelf ENABLE TRIGGER USER")


def test_what_was_missed_while_triggers_were_off_is_noticed(shelves: Scene) -> None:
    shelves.runs()
    miss_changes(shelves)
    shelves.runs()

    assert [shelf.value for shelf in shelves.all(Shelf)] == [10, 10, 4]
    assert shelves.runs() == []


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=5)])
def test_what_was_missed_while_triggers_were_off_is_repaired(shelves: Scene, ahead: timedelta) -> None:
    """Also if the clock of the server that ran the caches is ahead of the one that repairs."""
    shelves.runs()
    miss_changes(shelves)
    assert any(finding.is_fault for finding in shelves.app.insight(shelves.engine).check())

    shelves.clock.advance(-ahead)
    shelves.app.repair(shelves.engine)
    shelves.runs()

    assert [shelf.value for shelf in shelves.all(Shelf)] == [10, 10, 4]
    shelves.clock.advance(datetime.now(UTC) - ahead - shelves.clock.now())  # what the test took does not count
    faults = [one.what for one in shelves.app.insight(shelves.engine).check() if one.is_fault]
    apart = [what for what in faults if what.startswith("clock of this machine")]
    assert (faults, bool(apart)) == (apart, bool(ahead) and not shelves.on_sqlite)
    assert shelves.runs() == []
