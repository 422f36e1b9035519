"""Filling beside stale caches that never run out."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.derived.compute import backfill
from afterwork.derived.queue import cache_schedule
from afterwork.events import Event, Reached
from tests.derived.stale_scene import Base, Scene, Shelf

COUNT = 4
CACHES = 3
BATCHES = 6
"""After so many of other caches comes one of filling."""

WRITES = 210


class Busy:
    """A user who changes a shelf whenever it has just been made fresh, for long."""

    def __init__(self) -> None:
        self.scene: Scene | None = None
        self.writes = 0

    def __call__(self, event: Event) -> None:
        if self.scene is not None and self.writes < WRITES:
            match event:
                case Reached("after commit", work) if work != "journal":
                    self.writes += 1
                    self.scene.sql("UPDATE shelf SET size = size + 1 WHERE id = 1")


@pytest.mark.parametrize("at_once", [timedelta(0), timedelta(seconds=10)], ids=["claimed", "at once"])
def test_filling_has_a_small_share(engine: Engine, monkeypatch: pytest.MonkeyPatch, at_once: timedelta) -> None:
    monkeypatch.setattr(backfill, "CHUNK_SIZE", 2)
    monkeypatch.setattr(cache_schedule, "BATCHES_PER_BACKFILL", BATCHES)
    busy = Busy()
    scene = Scene(engine, Base)
    scene.app = aw.Afterwork(Base, clock=scene.clock, settings=replace(scene.settings, at_once=at_once), on_event=busy)
    with Session(engine) as session:
        session.add(Shelf(id=1, size=1))
        session.commit()
    scene.run()
    with Session(engine) as session:
        session.add_all(Shelf(id=n, size=n) for n in range(2, COUNT + 1))
        session.commit()
    scene.sql("DELETE FROM afterwork_journal", "UPDATE afterwork_derivation SET checksum = 'of old code'")
    busy.scene = scene

    ran = [f"{one.run.work} {one.run.root_id}" for one in scene.app.run_until_idle(engine)]

    assert busy.writes == WRITES
    others = [place for place, one in enumerate(ran) if not one.endswith("!1")]
    assert len(others) == CACHES * (COUNT - 1)
    assert others[-1] < WRITES, "filling has waited until nothing else was stale"
    most = max(after - before for before, after in pairwise(others))
    assert most > BATCHES // 2, "filling had more than a small share"
    assert [shelf.value for shelf in scene.all(Shelf)] == [WRITES + 1, *range(2, COUNT + 1)]
    assert scene.run() == []
