"""What wakes a sleeping server on PostgreSQL, whoever writes it: a new ticket, and a pending one that is changed."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from afterwork.store.postgresql import wake_trigger
from tests.support.kinds import Base
from tests.support.world import World

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

TICKET = "INSERT INTO sys_async_ticket (view_model, root_id) VALUES ('Thing.work', 'Thing!1')"

WAKING = [
    TICKET,
    "UPDATE sys_async_ticket SET execute_earliest = now()",
    "UPDATE sys_async_ticket SET priority = 1",
    "UPDATE sys_async_ticket SET lane = 'other'",
    "UPDATE sys_async_ticket SET root_id = 'Thing!2'",
    "UPDATE sys_async_ticket SET view_model = 'Thing.call'",
    "UPDATE sys_async_ticket SET priority = NULL, lane = NULL",
]
ENDED = "UPDATE sys_async_ticket SET done = now(), error = 'no', priority = 7"
SILENT = [
    ENDED,
    "UPDATE sys_async_ticket SET priority = 3",
    "UPDATE sys_async_ticket SET error = NULL",
    "UPDATE sys_async_ticket SET done = NULL, error = 'no'",
    "UPDATE sys_async_ticket SET keep_receipt_minutes = 3",
]


@pytest.fixture
def sleeper(engine: Engine) -> Iterator[Connection]:
    """Of a server that sleeps."""
    World(engine, Base)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        assert connection.execute(wake_trigger.FALL_ASLEEP).scalar()
        connection.exec_driver_sql(f"LISTEN {wake_trigger.channel(connection)}")
        yield connection
        connection.detach()


def is_woken_by(sleeper: Connection, statement: str) -> bool:
    with sleeper.engine.begin() as connection:
        connection.execute(text(statement))
    driver: Any = sleeper.connection.dbapi_connection
    return bool(list(driver.notifies(timeout=0.05, stop_after=1)))


def test_a_new_ticket_and_whatever_changes_a_pending_one_wake_it(sleeper: Connection) -> None:
    assert [is_woken_by(sleeper, statement) for statement in WAKING] == [True] * len(WAKING)


def test_an_ended_ticket_wakes_it_when_it_is_set_back(sleeper: Connection) -> None:
    is_woken_by(sleeper, TICKET)
    assert [is_woken_by(sleeper, statement) for statement in SILENT] == [False] * len(SILENT)
    assert is_woken_by(sleeper, "UPDATE sys_async_ticket SET error = NULL")


def test_a_trigger_of_an_earlier_version_is_replaced(engine: Engine) -> None:
    """It named columns, so no migration could give these another type."""
    world = World(engine, Base)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER afterwork_wake ON sys_async_ticket"))
        connection.execute(
            text(
                "CREATE TRIGGER afterwork_wake AFTER INSERT OR UPDATE OF lane, priority ON sys_async_ticket"
                " FOR EACH STATEMENT EXECUTE FUNCTION afterwork_wake()"
            )
        )
    assert world.app.install(engine) == ["trigger afterwork_wake on sys_async_ticket created"]
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sys_async_ticket ALTER COLUMN lane TYPE varchar(100)"))
    assert world.app.install(engine) == []
