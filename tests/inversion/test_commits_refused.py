"""Values in sets whose commit hangs or is refused by a deferred trigger: only the object with that trigger fails."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, text

import afterwork as aw
from afterwork.events import Failed
from tests.inversion.market import Line, Product
from tests.inversion.scene import Market, rows_of

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

HOW = pytest.mark.parametrize(
    ("does", "error"),
    [("PERFORM pg_sleep(1000)", "CommitTimedOut: Its commit took longer than 1 s"), ("RAISE 'not today'", "not today")],
    ids=["hangs", "is refused"],
)

PRODUCTS = 4


class Shelf(Market):
    """A market with products that were there before it was installed; of each, as many were sold as its id says."""

    def __post_init__(self) -> None:
        Product.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            numbers = range(1, PRODUCTS + 1)
            connection.execute(insert(rows_of(Product)), [{"id": n} for n in numbers])
            connection.execute(insert(rows_of(Line)), [{"id": n, "product_id": n, "quantity": n} for n in numbers])
        super().__post_init__()
        self.app.settings = aw.Settings(inside_limit=timedelta(seconds=1))


@pytest.fixture
def shelf(engine: Engine) -> Shelf:
    return Shelf(engine)


def defer(engine: Engine, does: str) -> None:
    """Have a deferred trigger do something when a new sum of the second product is committed."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF new.id = 2 THEN {does}; END IF; RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE OF sold ON product DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )


def mend(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER dawdle ON product"))


def sums(market: Market) -> list[int]:
    return [market.value(Product.sold, n) for n in range(1, PRODUCTS + 1)]


def failures(market: Market) -> list[tuple[str, str | None]]:
    return [(failed.work, failed.root_id) for failed in market.seen if isinstance(failed, Failed)]


@HOW
def test_a_backfill_goes_on_without_the_object_whose_commit_fails(
    shelf: Shelf, engine: Engine, does: str, error: str
) -> None:
    defer(engine, does)
    shelf.run()

    assert sums(shelf) == [1, 0, 3, 4]
    assert failures(shelf) == [("Product.sold", "Product!2")]
    assert error in next(failed.error for failed in shelf.seen if isinstance(failed, Failed))


@HOW
def test_a_refresh_goes_on_without_the_object_whose_commit_fails(
    shelf: Shelf, engine: Engine, does: str, error: str
) -> None:
    shelf.run()
    defer(engine, does)
    shelf.sql("UPDATE line SET quantity = quantity + 10")
    shelf.run()

    assert sums(shelf) == [11, 2, 13, 14]
    assert failures(shelf) == [("Product.sold", "Product!2")]
    assert error in next(failed.error for failed in shelf.seen if isinstance(failed, Failed))

    mend(engine)
    shelf.sql("UPDATE line SET quantity = quantity + 10")
    shelf.run()
    assert sums(shelf) == [21, 22, 23, 24]
