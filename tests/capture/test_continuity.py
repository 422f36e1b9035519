"""Whatever keeps changes from being captured, values become right; and where nothing has, nothing runs."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

import afterwork as aw
from afterwork.derived.capture.requirements import ContinuityProof
from afterwork.events import Event, Reached
from afterwork.store.postgresql.capture_marks import CHANGED_TABLES
from tests.capture.continuity_scene import PLAIN, Place, opened
from tests.capture.interruptions import CHANGE, EVENTS, INSTALLED, INTERRUPTED, OTHER
from tests.support.marks import ONLY_POSTGRESQL, ONLY_SQLITE


@pytest.mark.parametrize(
    ("way", "installed"), [*((way, False) for way in INTERRUPTED), *((way, True) for way in INSTALLED)]
)
@ONLY_POSTGRESQL
def test_values_become_right_where_capture_on_postgresql_was_interrupted(
    engine: Engine, way: str, installed: bool
) -> None:
    tables, interruption, right = INTERRUPTED[way]
    place = opened(engine, *tables)

    place.sql(*interruption)
    said = place.install() if installed else []
    place.run()

    assert place.total() == right
    assert not installed or any("changes of orders may have been missed" in line for line in said)
    assert installed or place.missed or "of a partition is written" in way or "of a child is written" in way
    assert place.run() == []
    place.install()
    place.run()
    assert (place.faults(), place.install(), place.run()) == ([], [], [])
    place.sql("UPDATE orders SET amount = amount + 1")
    place.run()
    assert place.total() != right


def rebuild(place: Place, *, then: tuple[str, ...] = ()) -> None:
    """Change a table of SQLite as its manual says: by a new one, and by making its triggers again."""
    with place.engine.connect() as connection:
        made = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'orders'"
        triggers = connection.execute(text(made)).scalars().all()
    place.sql(
        PLAIN[1].replace("orders", "fresh"),
        "INSERT INTO fresh SELECT id, customer_id, amount * 100 FROM orders",
        "DROP TABLE orders",
        "ALTER TABLE fresh RENAME TO orders",
        *triggers,
        *then,
    )


def make_again_in_place(place: Place) -> None:
    """The same, by way of memory: the new table has the place of the old one."""
    with place.engine.connect() as connection:
        made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'orders' AND sql IS NOT NULL ORDER BY type"
        statements = connection.execute(text(made)).scalars().all()
        (rows,) = connection.execute(text("SELECT max(amount) FROM orders")).one()
    place.sql(
        "DROP TABLE orders",
        statements[0],
        f"INSERT INTO orders VALUES (1, 1, {rows}), (2, 1, {rows})",
        *statements[1:],
    )


ON_SQLITE: dict[str, tuple[Callable[[Place], None], int]] = {
    "a trigger is gone": (lambda place: place.sql("DROP TRIGGER afterwork_2_update", CHANGE), 102),
    "a table is made again": (
        lambda place: place.sql("DROP TABLE orders", PLAIN[1], "INSERT INTO orders VALUES (7, 1, 50)"),
        50,
    ),
    "a table is rebuilt": (rebuild, 300),
    "a table is rebuilt, and the file after it": (lambda place: rebuild(place, then=("VACUUM",)), 300),
    "a table is made again where it was": (make_again_in_place, 4),
}


@ONLY_SQLITE
@pytest.mark.parametrize("installed", [False, True], ids=["alone", "after an installation"])
@pytest.mark.parametrize("way", ON_SQLITE)
def test_values_become_right_where_capture_on_sqlite_was_interrupted(engine: Engine, way: str, installed: bool) -> None:
    interrupt, right = ON_SQLITE[way]
    place = opened(engine)
    interrupt(place)
    if installed:
        place.install()
    place.run()
    assert place.total() == right
    place.install()
    place.run()
    assert (place.faults(), place.install(), place.run()) == ([], [], [])


@ONLY_SQLITE
def test_a_table_of_sqlite_that_is_made_again_twice_is_noticed_twice(engine: Engine) -> None:
    place = opened(engine)
    for right in (4, 4):
        make_again_in_place(place)
        place.run()
        assert place.total() == right
        place.sql("UPDATE orders SET amount = 2 WHERE id = 1")
    place.run()
    rebuild(place)
    place.run()
    assert place.total() == 400


HARMLESS = (
    "ANALYZE",
    "CREATE TABLE other (id int PRIMARY KEY)",
    "CREATE INDEX by_amount ON orders (amount)",
    "ALTER TABLE orders ADD note text",
    "ALTER TABLE orders ADD state int NOT NULL DEFAULT 5",
    "CREATE VIEW many AS SELECT * FROM orders",
    "VACUUM",
)

HARMLESS_ON_POSTGRESQL = (
    "VACUUM FULL orders",
    "VACUUM FULL pg_class",
    "VACUUM FREEZE pg_attribute",
    "VACUUM FULL",
    "CLUSTER orders USING orders_pkey",
    "REINDEX TABLE orders",
    "ALTER TABLE orders ALTER amount SET STATISTICS 10",
    "ALTER TABLE orders ALTER amount SET DEFAULT 1",
    "ALTER TABLE orders ALTER amount SET DEFAULT 1",
    "ALTER TABLE orders ALTER amount DROP NOT NULL",
    "GRANT SELECT ON orders TO PUBLIC",
    "GRANT SELECT (amount) ON orders TO PUBLIC",
    "ALTER TABLE orders SET (fillfactor = 80)",
    "COMMENT ON COLUMN orders.amount IS 'in cents'",
    "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER of_the_application BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing()",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE orders ADD CHECK (amount > -100)",
    "UPDATE orders SET amount = amount",
    "CREATE SCHEMA elsewhere",
)


def test_nothing_runs_where_nothing_was_interrupted(engine: Engine) -> None:
    place = opened(engine)
    assert place.run() == []
    more = HARMLESS_ON_POSTGRESQL if engine.dialect.name == "postgresql" else ()
    for statement in (*HARMLESS, *more):
        place.sql(statement)
        assert (statement, place.run(), place.missed) == (statement, [], [])
    assert (place.install(), place.faults(), place.run()) == ([], [], [])


def test_a_database_of_an_older_version_is_captured_anew_and_all_is_made_again(engine: Engine) -> None:
    place = opened(engine)
    is_postgresql = engine.dialect.name == "postgresql"
    for name in ("wanted", "relation", "marks", "fingerprint", "forms"):
        place.sql(f"ALTER TABLE afterwork_tracked_table DROP COLUMN {name}")
    place.sql("UPDATE afterwork_installation SET value = '7' WHERE name = 'schema_version'")
    if is_postgresql:
        place.sql(*(f"ALTER TRIGGER afterwork_2_{event} ON orders RENAME TO afterwork_{event}" for event in EVENTS))

    said = place.install()

    assert "all caches are to run again" in said
    assert place.run() == ["Customer.total Customer!1"]
    assert (place.faults(), place.install(), place.run()) == ([], [], [])
    if is_postgresql:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'afterwork%'")).scalars()
            assert {name.split("_")[1] for name in found} == {"1", "2", "wake", "ended", "gone"}


@ONLY_POSTGRESQL
def test_after_a_restore_nothing_that_was_seen_means_anything(engine: Engine) -> None:
    place = opened(engine)
    place.sql(  # as a dump is restored: with numbers of its own
        "ALTER TABLE afterwork_journal RENAME TO before",
        "CREATE TABLE afterwork_journal (LIKE before INCLUDING ALL)",
        "UPDATE afterwork_cache SET snapshot = '1000000:1000000:'",
        "UPDATE orders SET amount = 100 WHERE id = 1",
    )
    place.run()
    assert place.total() == 102
    assert "the database was restored from a dump" in {said.why for said in place.missed}
    place.sql("UPDATE orders SET amount = 200 WHERE id = 1")
    place.install()
    place.run()
    assert place.total() == 202


@ONLY_POSTGRESQL
def test_the_search_path_of_who_looks_is_no_interruption(engine: Engine) -> None:
    place = opened(engine)
    place.sql(
        "CREATE SCHEMA more",
        "CREATE FUNCTION more.doubled(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'",
        "ALTER TABLE orders ADD twice integer GENERATED ALWAYS AS (more.doubled(amount)) STORED",
        'UPDATE afterwork_tracked_table SET columns = \'["id", "customer_id", "amount", "twice"]\' WHERE id = 2',
    )
    place.run()
    with engine.connect() as connection:
        for path in ("public", "public, more"):
            connection.exec_driver_sql(f"SET search_path TO {path}")
            assert connection.execute(CHANGED_TABLES).all() == []


@ONLY_POSTGRESQL
@pytest.mark.parametrize("column", ["mood", "mood[]", "moods_of_today", "moody", "moody[]"])
def test_the_name_of_a_value_is_a_value(engine: Engine, column: str) -> None:
    place = opened(engine)
    place.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN moods_of_today AS mood[]",
        "CREATE TYPE moody AS (since date, moods moods_of_today)",
        f"ALTER TABLE orders ADD mood {column}",
    )
    place.sql('UPDATE afterwork_tracked_table SET columns = \'["id", "customer_id", "amount", "mood"]\' WHERE id = 2')
    place.run()
    place.seen.clear()

    place.sql("ALTER TYPE mood ADD VALUE 'mad'")
    assert (place.run(), place.missed) == ([], [])
    place.sql("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'")
    assert place.run() == ["Customer.total Customer!1"]


@ONLY_POSTGRESQL
@pytest.mark.parametrize(
    "column",
    [
        *("price", "price[]", "price_of_today", "offer", "offer[]", "catalog", "catalog_today"),
        *("prices", "prices_multirange", "shop_of_others"),
    ],
)
def test_the_fields_of_a_type_are_in_its_values(engine: Engine, column: str) -> None:
    place = opened(engine)
    place.sql(
        "CREATE TYPE price AS (amount int, currency text)",
        "CREATE DOMAIN price_of_today AS price",
        "CREATE TYPE offer AS (since date, price price_of_today)",
        "CREATE TYPE catalog AS (pages int, offers offer[])",
        "CREATE DOMAIN catalog_today AS catalog",
        "CREATE TYPE prices AS RANGE (subtype = price)",
        "CREATE TABLE shop_of_others (id int, first catalog_today)",
        f"ALTER TABLE orders ADD price {column}",
    )
    place.sql('UPDATE afterwork_tracked_table SET columns = \'["id", "customer_id", "amount", "price"]\' WHERE id = 2')
    place.run()
    place.seen.clear()

    place.sql("CREATE TYPE other AS (amount int)", "ALTER TYPE other ADD ATTRIBUTE currency text CASCADE")
    assert (place.run(), place.missed) == ([], [])
    fields = "ADD ATTRIBUTE since date", 'RENAME ATTRIBUTE since TO "from"', 'DROP ATTRIBUTE "from"'
    for statement in fields if column == "price" else ("RENAME ATTRIBUTE currency TO unit",):
        place.sql(f"ALTER TYPE price {statement} CASCADE")
        assert (statement, place.run()) == (statement, ["Customer.total Customer!1"])


@ONLY_POSTGRESQL
def test_a_part_that_is_a_foreign_table_is_told_of(engine: Engine) -> None:
    place, host = opened(engine), engine.url.query.get("host", engine.url.host)
    try:
        place.sql("CREATE EXTENSION postgres_fdw")
    except DBAPIError:
        pytest.skip("this PostgreSQL has no postgres_fdw")
    place.sql(
        OTHER,
        f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{engine.url.database}', host '{host}')",
        f"CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user '{engine.url.username}', password_required 'false')",
        "CREATE FOREIGN TABLE far_orders (id int NOT NULL, customer_id int NOT NULL, amount int NOT NULL)"
        " SERVER far OPTIONS (table_name 'other')",
        "ALTER FOREIGN TABLE far_orders INHERIT orders",
    )
    place.install()
    assert place.faults() == ["capture on orders: what others change in far_orders, a foreign table, can't be captured"]
    assert place.install() == []


def test_what_is_calculated_when_it_is_noticed_is_calculated_again(engine: Engine) -> None:
    """A calculation that began before a change which nobody captured, and ends after that was noticed, is not the
    last."""
    place = opened(engine)
    once = iter([True])

    def meanwhile(happened: Event) -> None:
        if isinstance(happened, Reached) and happened.point == "ran" and next(once, False):
            replace_orders(place)
            with closing(place.app.database(engine).connect()) as connection:
                proves = ContinuityProof(place.app.database(engine), place.app.clock, place.app.events)
                assert proves.prove(connection)

    place.app = aw.Afterwork(place.base, on_event=meanwhile, settings=aw.Settings(at_once=timedelta(0)))
    place.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    place.run()
    assert place.total() == 7


def replace_orders(place: Place) -> None:
    place.sql("DROP TABLE orders", PLAIN[1], "INSERT INTO orders VALUES (1, 1, 7)")
