"""What is kept of the journal for calculations in flight: all that they need, and no more."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import afterwork as aw
from afterwork.events import Event, Reached
from afterwork.insight import CheckLimits
from afterwork.sources.derived.source import BATCHES_PER_CLEANUP, DerivedSource
from afterwork.store.dialects import database_of
from tests.derived.stale_scene import Base, Scene, Shelf

ROUNDS = 40
KEPT = "SELECT count(*) FROM afterwork_recent"


class Busy:
    """A user who changes a shelf when each calculation has just looked, and another server that takes this out
    of the journal. `kept` is what there was to keep before."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.kept: list[int] = []

    def __call__(self, event: Event) -> None:
        if event == Reached("ran", "Shelf.value") and len(self.kept) < ROUNDS:
            self.kept.append(self.scene.value(KEPT))
            self.scene.sql("UPDATE shelf SET size = size + 1 WHERE id = 1")
            self._take()

    def _take(self) -> None:
        database = database_of(self.scene.engine, self.scene.settings)
        with closing(database.connect()) as connection:
            stale = self.scene.app.runner(database, connection).source(DerivedSource)
            assert stale is not None
            stale.matcher.match(connection, self.scene.clock.now())


def test_it_does_not_grow_though_stale_caches_never_run_out(shelves: Scene) -> None:
    shelves.run()
    busy = Busy(shelves)
    settings = replace(shelves.settings, at_once=timedelta(0))
    app = aw.Afterwork(Base, clock=shelves.clock, settings=settings, on_event=busy)
    shelves.sql("UPDATE shelf SET size = size + 1 WHERE id = 1")

    app.run_until_idle(shelves.engine)

    assert len(busy.kept) == ROUNDS
    assert 0 < max(busy.kept) <= 2 * BATCHES_PER_CLEANUP, "a batch leaves two changes: of a value, and a user's"
    assert shelves.is_quiet()
    assert shelves.all(Shelf)[0].value == ROUNDS + 2


def test_check_tells_of_it(shelves: Scene) -> None:
    shelves.run()
    insight = shelves.app.insight(shelves.engine)
    (none,) = (finding for finding in insight.check() if "kept for" in finding.what)
    shelves.sql("UPDATE shelf SET size = 7", "INSERT INTO afterwork_recent SELECT * FROM afterwork_journal")

    (few,) = (finding for finding in insight.check() if "kept for" in finding.what)
    (many,) = (finding for finding in insight.check(CheckLimits(waiting_changes=0)) if "kept for" in finding.what)

    assert (none.what, none.right) == ("changes that are kept for calculations: 0", True)
    assert few.right
    assert few.advice == ""
    assert not many.right
    assert not many.is_fault
    assert "afterwork caches" in many.advice
