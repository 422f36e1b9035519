"""What a server takes over: what nobody works on, and nothing of its own that it has just begun."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, update

import afterwork as aw
from afterwork.clock import SystemClock
from afterwork.events import Events
from afterwork.server.lanes import KnownLanes
from afterwork.server.presence import Presence
from afterwork.store import leases, suspects
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from afterwork.store.process import machine
from afterwork.store.server_rows import ServerRow
from afterwork.store.tables import server as servers
from tests.conftest import Shop
from tests.support.waiting import eventually


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
    lanes, lease = KnownLanes(standby=1.0), Lease("run", "1", "parallel", 1, epoch=1)
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


def test_a_process_of_another_container_is_not_judged_by_its_number(the_shop: Shop, engine: Engine) -> None:
    """Each container has a process of the number 1, and they may share a host name."""
    database = database_of(engine, aw.Settings())
    if database.dialect != "sqlite":
        pytest.skip("a lock tells who lives")
    boot, container = machine().split(" ")
    with database.connect() as connection:
        Presence.enter(connection, database, SystemClock(), Events())
        (row,) = ServerRow.all(connection)

        assert database.lives(connection, row) is True
        assert database.lives(connection, replace(row, process_started=1.0)) is False
        assert database.lives(connection, replace(row, machine=f"{boot} other", process_started=1.0)) is None
        assert database.lives(connection, replace(row, machine=f"other {container}")) is False
        assert database.lives(connection, replace(row, machine=f"other {container}", host="elsewhere")) is None


@pytest.mark.parametrize("stopping", [False, True])
def test_what_a_server_was_trying_is_blamed_once_when_it_is_buried_unless_it_was_stopping(
    the_shop: Shop, engine: Engine, stopping: bool
) -> None:
    """What has begun last is blamed, and what went on beside it was near."""
    database = database_of(engine, aw.Settings())
    with database.connect() as connection, database.connect() as other:
        mine, dead = (Presence.enter(one, database, SystemClock(), Events()) for one in (connection, other))
        for key in ("long", "last"):
            with database.transaction(connection):
                leases.take(database, connection, Lease(key, key, "parallel", dead.id, epoch=1))
        if stopping:
            dead.stop(other)
        other.close()
        connection.execute(update(servers).where(servers.c.id == dead.id).values(process_started=1.0))
        connection.commit()

        assert [eventually_gone(mine, connection), mine.crashed(connection, mine.look(connection).others)] == [
            0 if stopping else 1,
            0,
        ]
        found = {one.key: (one.deaths, one.near) for one in suspects.every(connection)}
        assert found == ({} if stopping else {"last": (1, 0), "long": (0, 1)})
        assert bool(suspects.quarantined_scopes(database, connection)) is not stopping


def eventually_gone(presence: Presence, connection: Connection) -> int:
    """Clear away who is gone, as soon as that is known. Returns how many of them had crashed."""
    crashed: list[int] = []

    def gone() -> bool:
        crashed.append(presence.crashed(connection, presence.look(connection).others))
        return len(ServerRow.all(connection)) == 1

    eventually(gone)
    return sum(crashed)
