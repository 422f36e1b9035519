"""A ticket that can't be done, among hundreds that can."""

import signal

import pytest

from tests.faults.scene import Scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

LIMIT = 2
"""Deaths after which a ticket is given up."""


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_ticket_that_raises_each_time_ends_alone(scene: Scene, method: str) -> None:
    """The others of its batch are done without it."""
    good = 249 if method == "assign_number" else 49
    scene.save(good // 2, method)
    (poison,) = scene.save(1, method, grief="raises")
    scene.save(good - good // 2, method)

    scene.start()
    scene.wait_until_done()

    assert f"customer {poison} can't be done" in scene.errors()[poison]
    scene.check(failed=[poison])


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_ticket_that_can_not_reach_another_database_is_not_mistaken_for_the_loss_of_its_own(
    scene: Scene, method: str
) -> None:
    """It fails like one that raises anything else."""
    (poison,) = scene.save(1, method, grief="has lost another database")
    scene.save(3, method)

    scene.start()
    scene.wait_until_done()

    assert "OperationalError" in scene.errors()[poison]
    assert scene.said("DatabaseLost") == []
    scene.check(failed=[poison])


@pytest.mark.parametrize("method", ["assign_number", "assign_number_outside"])
def test_a_ticket_that_kills_its_process_each_time_is_given_up(scene: Scene, method: str) -> None:
    """Somebody starts the server again each time. After some deaths it knows which ticket it was, and leaves it."""
    good = 39
    scene.save(good // 2, method)
    (poison,) = scene.save(1, method, grief="dies")
    scene.save(good - good // 2, method)

    server = scene.start(crash_limit=LIMIT)
    deaths = 0
    while scene.pending():
        eventually(lambda: not server.lives or not scene.pending())
        if not server.lives:
            assert server.wait() == -signal.SIGKILL
            deaths += 1
            assert deaths <= LIMIT + 1, "it isn't given up"
            server = scene.start(crash_limit=LIMIT)

    # In a batch, the first death does not tell which ticket it was.
    assert deaths == (LIMIT + 1 if method == "assign_number" else LIMIT)
    assert len(scene.begun(poison)) == deaths
    assert f"died {LIMIT} times" in scene.errors()[poison]
    scene.check(failed=[poison])
