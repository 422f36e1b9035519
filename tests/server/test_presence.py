"""What a server takes over: what nobody works on, and nothing of its own that it has just begun."""

from typing import Any

from sqlalchemy import Engine, event, select

import afterwork as aw
from afterwork.clock import SystemClock
from afterwork.events import Events
from afterwork.server.lanes import Lanes
from afterwork.server.presence import Presence
from afterwork.store import leases
from afterwork.store.database import database_of
from afterwork.store.leases import Lease
from afterwork.store.tables import server as servers
from tests.conftest import Shop


def test_a_run_that_begins_during_the_look_for_orphans_is_none(the_shop: Shop, engine: Engine) -> None:
    """Whoever begins a run notes it first and leases it then: so what is not noted by the end of the look is no run."""
    database = database_of(engine, aw.Settings())
    with database.connect() as connection:
        presence = Presence.enter(connection, database, SystemClock(), Events())
        mine = Lease("mine", "1", "parallel", presence.id, epoch=1)
        forgotten = Lease("forgotten", "2", "parallel", presence.id, epoch=1)
        with database.transaction(connection):
            for lease in (mine, forgotten):
                leases.take(database, connection, lease)
        noted: list[str] = []

        def runs() -> list[str]:
            assert noted == []
            noted.append("mine")  # by another thread, while the database was being asked
            return noted

        assert [lease.run for lease in presence.adopt_orphans(connection, runs)] == ["forgotten"]


def test_a_run_that_two_workers_have_begun_is_held_until_both_have_ended() -> None:
    lanes, lease = Lanes(standby=1.0), Lease("run", "1", "parallel", 1, epoch=1)
    lanes.hold(lease, True)
    lanes.hold(lease, True)
    lanes.hold(lease, False)

    assert lanes.runs() == ["run"]
    lanes.hold(lease, False)
    assert lanes.runs() == []


def test_a_server_that_enters_again_while_its_heart_beats_is_there_once(the_shop: Shop, engine: Engine) -> None:
    """Others have taken it for dead. Its heartbeat, which has a connection of its own, sees so and writes it anew."""
    database = database_of(engine, aw.Settings())
    with database.connect() as connection, database.connect() as other:
        presence = Presence.enter(connection, database, SystemClock(), Events())
        presence.leave(connection)
        entered: list[bool] = []

        def enter_again(_: Any, __: Any, statement: str, *others: Any) -> None:
            if statement.startswith("INSERT INTO afterwork_server") and not entered:
                entered.append(True)
                presence.enter_again(other)

        event.listen(engine, "before_cursor_execute", enter_again)
        presence.show_life(connection)
        presence.enter_again(other)

        assert connection.execute(select(servers.c.id)).scalars().all() == [presence.id]
