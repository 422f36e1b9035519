"""A server sees while it runs that changes of a table were not captured, and what it costs to see that they were."""

from datetime import timedelta

from sqlalchemy import Engine, event

import afterwork as aw
from afterwork.sources.derived.source import DerivedSource
from tests.capture.continuity_scene import PLAIN, Place, opened
from tests.support.waiting import eventually

OFTEN = aw.Settings(prove_every=timedelta(milliseconds=50))


def interrupt(place: Place) -> None:
    """Change a row of orders so that no trigger is fired, before a server can see that they are gone."""
    if place.engine.dialect.name == "sqlite":
        place.sql_at_once("DROP TRIGGER afterwork_2_update", "UPDATE orders SET amount = 100 WHERE id = 1")
    else:
        place.sql_at_once("ALTER TABLE orders DISABLE TRIGGER ALL", "UPDATE orders SET amount = 100 WHERE id = 1")


def test_a_server_sees_it_while_it_runs_and_says_so_once(engine: Engine) -> None:
    place = opened(engine, settings=OFTEN)
    with place.app.serving(engine):
        interrupt(place)
        eventually(lambda: place.total() == 102)
        (said,) = place.missed
        assert said.table == "orders"
        assert said.faults
        assert any("orders" in fault for fault in place.faults())

        place.sql("UPDATE orders SET amount = 200 WHERE id = 1")
        place.install()
        eventually(lambda: place.total() == 202)
        assert place.faults() == []
        place.sql("UPDATE orders SET amount = 300 WHERE id = 1")
        eventually(lambda: place.total() == 302)
    assert place.missed == [said]


def test_a_server_of_two_that_sees_it_first_is_the_only_one(engine: Engine) -> None:
    place = opened(engine, settings=OFTEN)
    with place.app.serving(engine), place.app.serving(engine):
        for amount in (100, 200):
            said = len(place.missed)
            place.sql_at_once("DROP TABLE orders", PLAIN[1], f"INSERT INTO orders VALUES (1, 1, {amount})")
            eventually(lambda amount=amount: place.total() == amount)  # type: ignore[misc]
            # What ran again for the last time may have made it right, and an installation leaves nothing to see.
            eventually(lambda said=said: len(place.missed) > said)  # type: ignore[misc]
            place.install()
    assert 2 <= len(place.missed) <= 4


def test_it_takes_one_statement_for_all_tables(engine: Engine) -> None:
    place = opened(engine)
    runner = place.app.runner(place.app.database(engine), engine.connect())
    derived = runner.source(DerivedSource)
    assert derived is not None
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    connection = runner.database.connect()
    sent.clear()
    assert derived.continuity.prove(connection)
    connection.close()
    assert len(sent) == 1
