"""Who takes changes gives way to a migration, which has locked a table and may be about to install."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import afterwork as aw
from tests.support.kinds import Base, Thing
from tests.support.marks import ONLY_POSTGRESQL
from tests.support.world import World

SAVE = "INSERT INTO thing (id, n, inside, outside, timed) VALUES (1, {n}, 0, 0, 0)"


@ONLY_POSTGRESQL
def test_a_migration_never_waits_for_a_server_that_waits_for_it(engine: Engine) -> None:
    """PostgreSQL would end one of the two, and perhaps the migration."""
    world = World(engine, Base, settings=aw.Settings(lock_limit=timedelta(minutes=5)))
    for statements in ([SAVE.format(n=1)], ["DELETE FROM thing", SAVE.format(n=2)]):
        world.run()
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    with engine.begin() as migration:
        migration.execute(text("ALTER TABLE thing ADD COLUMN new int"))
        with pytest.raises(OperationalError, match="lock timeout"):  # as it looks whether the object is there
            world.run()
        migration.execute(text("LOCK TABLE afterwork_installation IN EXCLUSIVE MODE NOWAIT"))
    world.run()
    assert [thing.copied for thing in world.all(Thing)] == [2]
