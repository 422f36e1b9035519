"""One object that can't be calculated, or that may kill its server, runs alone: the others of its set carry on."""

from contextlib import closing
from uuid import uuid4

from sqlalchemy import insert, text, update

from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.refresher import Refresher
from tests.inversion.market import Line, Product
from tests.inversion.scene import Market, rows_of


def with_products(market: Market) -> None:
    with market.engine.begin() as connection:
        connection.execute(insert(rows_of(Product)), [{"id": 1}, {"id": 2}])
        lines = [{"id": n, "product_id": 1 + n % 2, "quantity": n} for n in range(1, 5)]
        connection.execute(insert(rows_of(Line)), lines)
    market.run()


def overflow(market: Market) -> None:
    """Let the sum for the first product be larger than the database can calculate, or its column hold."""
    largest = 2**63 - 1 if market.engine.dialect.name == "sqlite" else 2**31 - 1
    with market.engine.begin() as connection:
        connection.execute(update(rows_of(Line)).where(Line.product_id == 1).values(quantity=largest))
        connection.execute(update(rows_of(Line)).where(Line.id == 1).values(quantity=7))


def refresher(market: Market) -> Refresher:
    database = market.app.database(market.engine)
    with closing(database.connect()) as connection:
        return Refresher.of(matcher_of(database, market.app.model, connection), market.clock, uuid4())


def test_an_object_that_fails_alone_fails_alone(market: Market) -> None:
    with_products(market)
    overflow(market)
    market.run()
    assert (market.value(Product.sold, 1), market.value(Product.sold, 2)) == (6, 10)
    with market.session() as session:
        shown = str(market.app.explain(session.get_one(Product, 1), "sold"))
    assert "Product.sold of Product!1 is failed." in shown
    assert "It is not refreshed in sets, since it could not be made right together with others." in shown


def test_it_is_tried_again_when_a_change_touches_it_and_nothing_is_left_of_it(market: Market) -> None:
    with_products(market)
    overflow(market)
    market.run()
    market.sql("UPDATE line SET quantity = 1")
    market.run()
    assert market.value(Product.sold, 1) == 2
    assert market.manifests == 0


def test_if_a_refresh_may_kill_each_object_runs_alone_with_a_trace(market: Market) -> None:
    with_products(market)
    market.sql("UPDATE line SET quantity = 3 WHERE id = 2")
    database, aside = market.app.database(market.engine), refresher(market)
    with closing(database.connect()) as connection:
        aside.set_all_aside(connection)
    assert market.run() == ["Product.sold Product!1"]
    assert market.value(Product.sold, 1) == 7
    market.sql("UPDATE line SET quantity = 4 WHERE id = 2")
    market.run()
    assert (market.value(Product.sold, 1), market.manifests) == (8, 0)


def test_touches_that_a_migration_has_made_unreadable_have_all_objects_calculated(market: Market) -> None:
    with_products(market)
    with market.engine.begin() as connection:
        connection.execute(update(rows_of(Line)).where(Line.id == 2).values(quantity=3))
        connection.execute(text("UPDATE afterwork_touch SET v1 = 'no number' WHERE v1 IS NOT NULL"))
    market.run()
    assert market.touches == 0
    if market.engine.dialect.name == "postgresql":  # where texts that are no numbers fail
        assert market.value(Product.sold, 1) == 7
