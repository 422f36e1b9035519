"""What PostgreSQL writes by itself is captured or noticed: by a subscription, and by a crash that empties a table."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from tests.capture.continuity_scene import PLAIN, Place, opened
from tests.support.own_postgres import OwnPostgres, own_postgres
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        engine = create_engine(server.create_database(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("ALTER SYSTEM SET wal_level = logical"))
        engine.dispose()
        server.stop("fast")
        server.start()
        yield server


@pytest.fixture
def engines(server: OwnPostgres) -> Iterator[tuple[Engine, Engine]]:
    """Two databases, of which one may publish what the other subscribes to."""
    made = [create_engine(server.create_database()) for _ in range(2)]
    yield made[0], made[1]
    for engine in made:
        engine.dispose()


def do(engine: Engine, *statements: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.execute(text(statement))


def publish(engine: Engine) -> None:
    do(
        engine,
        *(statement.replace(" REFERENCES customer", "") for statement in PLAIN[1:]),
        "CREATE PUBLICATION sold FOR TABLE orders",
        "SELECT pg_create_logical_replication_slot('sold', 'pgoutput')",
    )


def subscribe(place: Place, url: URL) -> None:
    """Within one server the slot has to be made beforehand."""
    where = f"host={url.query['host']} dbname={url.database} user={url.username}"
    place.sql(
        f"CREATE SUBSCRIPTION sold CONNECTION '{where}' PUBLICATION sold WITH (create_slot = false, copy_data = false)"
    )


def unsubscribe(place: Place) -> None:
    place.sql(
        "ALTER SUBSCRIPTION sold DISABLE", "ALTER SUBSCRIPTION sold SET (slot_name = NONE)", "DROP SUBSCRIPTION sold"
    )


def amount(place: Place) -> object:
    """The sum of all orders that have arrived."""
    with place.engine.connect() as connection:
        return connection.execute(text("SELECT coalesce(sum(amount), 0) FROM orders")).scalar()


def test_what_a_subscription_writes_is_captured_once_it_is_installed(engines: tuple[Engine, Engine]) -> None:
    publisher, subscriber = engines
    publish(publisher)
    place = opened(subscriber)
    subscribe(place, publisher.url)
    try:
        place.run()
        assert any("subscription" in said.why for said in place.missed)
        assert any("trigger afterwork_2_update_row of orders is missing" in fault for fault in place.faults())
        do(publisher, "INSERT INTO orders VALUES (3, 1, 50)")
        eventually(lambda: amount(place) == 53)
        place.install()
        place.run()
        assert (place.total(), place.faults(), place.install(), place.run()) == (53, [], [], [])

        for change, right in (
            ("INSERT INTO orders VALUES (4, 1, 100), (5, 1, 200)", 353),
            ("UPDATE orders SET amount = amount + 1", 356),
            ("UPDATE orders SET id = 9, amount = 1 WHERE id = 4", 256),
            ("DELETE FROM orders WHERE id = 3", 205),
            ("TRUNCATE orders", 0),
        ):
            do(publisher, change)
            eventually(lambda right=right: amount(place) == right)  # type: ignore[misc]
            place.run()
            assert place.total() == right
        place.sql("INSERT INTO orders VALUES (1, 1, 7)")
        assert place.run() == ["Customer.total Customer!1"]
        assert place.total() == 7
    finally:
        unsubscribe(place)
    assert (place.run(), place.faults()) == ([], [])


def test_a_crash_that_empties_an_unlogged_table_is_noticed(server: OwnPostgres, engines: tuple[Engine, Engine]) -> None:
    place = opened(engines[0], PLAIN[0], PLAIN[1].replace("CREATE TABLE", "CREATE UNLOGGED TABLE"))
    place.sql("CHECKPOINT")
    server.stop("immediate")
    server.start()
    place.engine.dispose()

    place.run()

    assert place.total() == 0
    assert [said.table for said in place.missed] == ["orders"]
