"""SQLite engines that begin each transaction by a listener, as a known recipe for pysqlite has it."""

from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, event, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import UnsupportedDatabase
from tests.conftest import Shop, Trade
from tests.support import shop, trade
from tests.support.at_rest import WRONG, fill, wrong_at_rest


@pytest.fixture(params=["BEGIN", "BEGIN IMMEDIATE"])
def engine(url: URL, request: pytest.FixtureRequest) -> Any:
    if url.get_backend_name() != "sqlite":
        pytest.skip("the recipe is one for SQLite")
    made = create_engine(url, connect_args={"timeout": 5})

    def prepare(raw: Any, _: Any) -> None:
        raw.isolation_level = None
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA foreign_keys = ON")

    event.listen(made, "connect", prepare)
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql(request.param))
    yield made
    made.dispose()


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "claimed"])
def test_caches_come_right(the_trade: Trade, at_once: bool) -> None:
    settings = aw.Settings() if at_once else aw.Settings(at_once=aw.Settings().at_once * 0)
    found = Trade(the_trade.engine, settings=settings)
    fill(found.engine)
    found.run()
    assert found.value(WRONG) == 0

    found.sql("UPDATE line SET quantity = quantity + 1 WHERE id = 1")
    assert "Order.total Order!2" in found.run()

    assert found.value(WRONG) == 0
    assert found.run() == []


def test_tickets_run(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        customer = shop.Customer(name="Ada")
        session.add(customer)
        session.flush()
        aw.later(customer.assign_number)

    (ended,) = the_shop.run()

    assert isinstance(ended.outcome, aw.Succeeded)
    with Session(the_shop.engine) as session:
        assert session.scalars(select(shop.Customer.number)).all() == [1]


def test_a_server_that_rests_has_no_transaction_open(the_trade: Trade) -> None:
    app = aw.Afterwork(trade.Base)
    fill(the_trade.engine)
    with app.serving(the_trade.engine):
        assert wrong_at_rest(the_trade.engine) == 0
        the_trade.sql("UPDATE line SET quantity = quantity + 1")
        assert wrong_at_rest(the_trade.engine) == 0
        assert _can_write_back(the_trade.engine)


def test_a_listener_to_all_engines_is_refused(url: URL) -> None:
    if url.get_backend_name() != "sqlite":
        pytest.skip("the recipe is one for SQLite")

    def begin(connection: Any) -> None: ...

    event.listen(Engine, "begin", begin)
    try:
        with pytest.raises(UnsupportedDatabase, match="the application's own engine"):
            aw.Afterwork(shop.Base).install(create_engine(url))
    finally:
        event.remove(Engine, "begin", begin)


def _can_write_back(engine: Engine) -> bool:
    """Whether nobody reads an old state or writes: then the whole journal of the file can be written back."""
    alone = create_engine(engine.url, connect_args={"timeout": 10}, isolation_level="AUTOCOMMIT")
    with alone.connect() as connection:
        is_busy = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    alone.dispose()
    return is_busy == 0
