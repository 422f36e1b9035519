"""What monitoring costs: as much with a hundred thousand tickets that have ended, and caches that are fresh."""

from datetime import timedelta

from sqlalchemy import insert, text

from afterwork.insight import gauges
from afterwork.insight.gauges import Gauges
from afterwork.store.caches.tables import cache, derivation, due
from tests.conftest import Shop, Trade
from tests.store.plan_scene import fill
from tests.support.world import statements


def cost(scene: Shop | Trade) -> tuple[int, Gauges]:
    """What all gauges cost on SQLite, in steps of its machine, or how many rows PostgreSQL has read."""
    with scene.engine.begin() as connection:
        now = scene.clock.now()

        def look() -> Gauges:
            return gauges.gauges(scene.app.insight(scene.engine)._database, scene.app.model, connection, now)

        look()
        if connection.dialect.name == "sqlite":
            steps: list[None] = []
            driver = connection.connection.dbapi_connection
            driver.set_progress_handler(lambda: steps.append(None), 1)  # type: ignore[union-attr]
            result = look()
            driver.set_progress_handler(None, 1)  # type: ignore[union-attr]
            return len(steps), result
        before = read(connection)
        result = look()
        return read(connection) - before, result


READ = text(
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_all_tables"
    " WHERE schemaname = 'public'"
)


def read(connection: object) -> int:
    return int(connection.execute(READ).scalar_one())  # type: ignore[attr-defined]


def test_tickets_that_have_ended_cost_nothing(the_shop: Shop) -> None:
    fill(the_shop, ended=100, pending=20)
    few, found = cost(the_shop)
    fill(the_shop, ended=20_000, pending=1)
    many, same = cost(the_shop)

    assert [lane.waiting for lane in same.lanes] == [21]
    assert [(lane.lane, lane.waiting, lane.later) for lane in found.lanes] == [("main", 20, 0)]
    assert 3600 <= found.lanes[0].oldest < 3700
    assert many < 2 * few + 60


def test_caches_that_are_fresh_cost_nothing(the_trade: Trade) -> None:
    """Also those that are to be calculated again at a later moment."""
    the_trade.run()
    few, _ = cost(the_trade)
    now = the_trade.clock.now()
    with the_trade.engine.begin() as connection:
        number = connection.execute(derivation.select()).first().id  # type: ignore[union-attr]
        caches = [{"id": key, "derivation": number, "root": f"Gone!{key}"} for key in range(1000, 11_000)]
        connection.execute(insert(cache), caches)
        later = [{"cache": one["id"], "derivation": number, "due": now + timedelta(days=1)} for one in caches]
        connection.execute(insert(due), later)
        connection.execute(text("ANALYZE"))
    many, found = cost(the_trade)

    assert found.stale == 0
    assert many < 2 * few + 60


def test_a_look_takes_as_many_statements_however_much_waits(the_shop: Shop) -> None:
    fill(the_shop, ended=0, pending=1)
    with statements(the_shop.engine) as few:
        the_shop.app.insight(the_shop.engine).gauges()
    fill(the_shop, ended=0, pending=500)
    with statements(the_shop.engine) as many:
        found = the_shop.app.insight(the_shop.engine).gauges()

    assert len(few) == len(many)
    assert found.lanes[0].waiting == 501
