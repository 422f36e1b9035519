"""What takes too long is cancelled by PostgreSQL, where a pooler lets servers have no settings of their own."""

import pytest
from sqlalchemy import Engine, text

from afterwork.store.journal.entries import TAKES_BEFORE_GROWTH, Portion
from tests.support.kinds import Base, Thing
from tests.support.world import World

AT_ONCE = 100
"""Changes that can be taken at once, before it takes too long."""


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_changes_that_are_too_many_at_once_are_taken_in_smaller_portions(world: World) -> None:
    with world.engine.begin() as connection:
        connection.execute(text("INSERT INTO thing (id, n, inside, outside, timed) VALUES (1, 1, 0, 0, 0)"))
    world.run()
    with world.engine.begin() as connection:
        connection.execute(text(REFUSES))
        connection.execute(text(MANY))
    world.run()
    assert {one.copied for one in world.all(Thing)} == {1}


MANY = (
    "INSERT INTO thing (id, n, inside, outside, timed)"
    f" SELECT number, 1, 0, 0, 0 FROM generate_series(2, {AT_ONCE * 3 // 2}) AS number"
)

REFUSES = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT count(*) FROM gone) > {AT_ONCE} THEN
        RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse AFTER DELETE ON afterwork_journal REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse()
"""


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def test_a_portion_is_halved_down_to_one_and_grows_again() -> None:
    portion = Portion(5)
    assert [portion.halve() for _ in range(3)] == [True, True, False]
    sizes = []
    for _ in range(4 * TAKES_BEFORE_GROWTH):
        portion.went_well()
        sizes.append(portion.limit)
    assert sizes == sorted(sizes)
    assert set(sizes) == {1, 2, 4, 5}
