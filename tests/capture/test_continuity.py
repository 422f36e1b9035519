"""Whatever keeps changes from being captured, values become right; and where nothing has, nothing runs."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

import afterwork as aw
from afterwork.derived.capture.requirements import ContinuityProof
from afterwork.events import Event, Reached
from afterwork.store.postgresql.capture_marks import CHANGED_TABLES
from tests.capture.continuity_scene import CHILDREN, PARTS, PLAIN, Place, opened
from tests.support.postgres import Server


@pytest.fixture
def pg(postgres_server: Server) -> Iterator[Engine]:
    with postgres_server.fresh_database() as url:
        made = create_engine(url)
        yield made
        made.dispose()


CHANGE = "UPDATE orders SET amount = 100 WHERE id = 1"
OFF, ON = "ALTER TABLE orders DISABLE TRIGGER ALL", "ALTER TABLE orders ENABLE ALWAYS TRIGGER afterwork_2_{}"
EVENTS = ("insert", "update", "delete", "truncate")
OTHER = "CREATE TABLE other (id int PRIMARY KEY, customer_id int NOT NULL, amount int NOT NULL)"
NOBODY_LOOKS = (
    "CREATE OR REPLACE FUNCTION afterwork_capture_2() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
)

INTERRUPTED: dict[str, tuple[tuple[str, ...], tuple[str, ...], int]] = {
    "triggers are off": (PLAIN, (OFF, CHANGE), 102),
    "triggers are off for a while": (PLAIN, (OFF, CHANGE, *(ON.format(event) for event in EVENTS)), 102),
    "a trigger is gone": (PLAIN, ("DROP TRIGGER afterwork_2_update ON orders", CHANGE), 102),
    "the function does nothing": (PLAIN, (NOBODY_LOOKS, CHANGE), 102),
    "the function is gone": (PLAIN, ("DROP FUNCTION afterwork_capture_2 CASCADE", CHANGE), 102),
    "the function does nothing for a while": (
        PLAIN,
        (
            "CREATE TABLE kept AS SELECT pg_get_functiondef('afterwork_capture_2'::regproc) AS source",
            NOBODY_LOOKS,
            CHANGE,
            "DO $$BEGIN EXECUTE (SELECT source FROM kept); END$$",
        ),
        102,
    ),
    "the table is made again": (
        PLAIN,
        ("DROP TABLE orders", PLAIN[1], "INSERT INTO orders VALUES (7, 1, 50)"),
        50,
    ),
    "the table changes places with another": (
        PLAIN,
        (
            OTHER,
            "INSERT INTO other VALUES (7, 1, 50)",
            "ALTER TABLE orders RENAME TO old",
            "ALTER TABLE other RENAME TO orders",
        ),
        50,
    ),
    "a column has another type": (PLAIN, ("ALTER TABLE orders ALTER amount TYPE bigint USING amount * 100",), 300),
    "a column has other values of its type": (
        PLAIN,
        ("ALTER TABLE orders ALTER amount TYPE int USING amount * 100",),
        300,
    ),
    "a column is made again": (
        PLAIN,
        ("ALTER TABLE orders DROP amount", "ALTER TABLE orders ADD amount int NOT NULL DEFAULT 5"),
        10,
    ),
    "two columns change their names": (
        PLAIN,
        (
            "ALTER TABLE orders ADD double int NOT NULL DEFAULT 9",
            "ALTER TABLE orders RENAME amount TO single",
            "ALTER TABLE orders RENAME double TO amount",
        ),
        18,
    ),
    "a column has another name for a while": (
        PLAIN,
        (
            "ALTER TABLE orders RENAME amount TO price",
            "UPDATE orders SET price = 100 WHERE id = 1",
            "ALTER TABLE orders RENAME price TO amount",
        ),
        102,
    ),
    "a partition is detached": (PARTS, ("ALTER TABLE orders DETACH PARTITION orders_1",), 2),
    "a partition is detached while others work": (
        PARTS,
        ("ALTER TABLE orders DETACH PARTITION orders_1 CONCURRENTLY",),
        2,
    ),
    "a partition of a partition is detached": (PARTS, ("ALTER TABLE orders_2 DETACH PARTITION orders_2_a",), 1),
    "a partition is dropped": (PARTS, ("DROP TABLE orders_1",), 2),
    "a partition is attached": (
        PARTS,
        (
            OTHER,
            "INSERT INTO other VALUES (3, 1, 50)",
            "ALTER TABLE orders ATTACH PARTITION other FOR VALUES FROM (3) TO (4)",
        ),
        53,
    ),
    "a new partition is written by its own name": (
        PARTS,
        (
            "CREATE TABLE orders_3 PARTITION OF orders FOR VALUES FROM (3) TO (4)",
            "INSERT INTO orders_3 VALUES (3, 1, 50)",
        ),
        53,
    ),
    "a column of a partitioned table has other values": (
        PARTS,
        ("ALTER TABLE orders ALTER amount TYPE int USING amount * 100",),
        300,
    ),
    "a trigger of a partition of a partition is off": (
        PARTS,
        ("ALTER TABLE orders_2_a DISABLE TRIGGER ALL", "UPDATE orders_2_a SET amount = 50"),
        51,
    ),
    "a partition of a partition is written by its own name": (PARTS, ("UPDATE orders_2_a SET amount = 50",), 51),
    "a table becomes a child": (
        PLAIN,
        (OTHER, "INSERT INTO other VALUES (3, 1, 50)", "ALTER TABLE other INHERIT orders"),
        53,
    ),
    "a child of a child is written by its own name": (CHILDREN, ("INSERT INTO orders_1_a VALUES (3, 1, 50)",), 53),
    "a new child is written by its own name": (
        PLAIN,
        ("CREATE TABLE orders_1 () INHERITS (orders)", "INSERT INTO orders_1 VALUES (3, 1, 50)"),
        53,
    ),
    "a child with rows is none any more": (
        CHILDREN,
        (
            "INSERT INTO orders_1_a VALUES (3, 1, 50)",
            "DELETE FROM afterwork_journal",
            "ALTER TABLE orders_1_a NO INHERIT orders_1",
        ),
        3,
    ),
}


INSTALLED = (
    "triggers are off for a while",
    "the table is made again",
    "the table changes places with another",
    "a column has other values of its type",
    "a column has another name for a while",
    "a partition is detached",
    "a partition is attached",
    "a new child is written by its own name",
)
"""Of these it is tried, too, what an installation does before any server has looked."""


@pytest.mark.parametrize(
    ("way", "installed"), [*((way, False) for way in INTERRUPTED), *((way, True) for way in INSTALLED)]
)
def test_values_become_right_where_capture_on_postgresql_was_interrupted(pg: Engine, way: str, installed: bool) -> None:
    tables, interruption, right = INTERRUPTED[way]
    place = opened(pg, *tables)

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


@pytest.fixture
def lite(tmp_path: object) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/shop.db")
    yield made
    made.dispose()


@pytest.mark.parametrize("installed", [False, True], ids=["alone", "after an installation"])
@pytest.mark.parametrize("way", ON_SQLITE)
def test_values_become_right_where_capture_on_sqlite_was_interrupted(lite: Engine, way: str, installed: bool) -> None:
    interrupt, right = ON_SQLITE[way]
    place = opened(lite)
    interrupt(place)
    if installed:
        place.install()
    place.run()
    assert place.total() == right
    place.install()
    place.run()
    assert (place.faults(), place.install(), place.run()) == ([], [], [])


def test_a_table_of_sqlite_that_is_made_again_twice_is_noticed_twice(lite: Engine) -> None:
    place = opened(lite)
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
            assert {name.split("_")[1] for name in found} == {"1", "2", "wake"}


def test_after_a_restore_nothing_that_was_seen_means_anything(pg: Engine) -> None:
    place = opened(pg)
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


def test_the_search_path_of_who_looks_is_no_interruption(pg: Engine) -> None:
    place = opened(pg)
    place.sql(
        "CREATE SCHEMA more",
        "CREATE FUNCTION more.doubled(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'",
        "ALTER TABLE orders ADD twice integer GENERATED ALWAYS AS (more.doubled(amount)) STORED",
        'UPDATE afterwork_tracked_table SET columns = \'["id", "customer_id", "amount", "twice"]\' WHERE id = 2',
    )
    place.run()
    with pg.connect() as connection:
        for path in ("public", "public, more"):
            connection.exec_driver_sql(f"SET search_path TO {path}")
            assert connection.execute(CHANGED_TABLES).all() == []


def test_the_name_of_a_value_is_a_value(pg: Engine) -> None:
    place = opened(pg)
    place.sql("CREATE TYPE mood AS ENUM ('sad', 'glad')", "ALTER TABLE orders ADD mood mood NOT NULL DEFAULT 'sad'")
    table = place.base.metadata.tables["orders"]
    place.sql('UPDATE afterwork_tracked_table SET columns = \'["id", "customer_id", "amount", "mood"]\' WHERE id = 2')
    assert table is not None
    place.run()
    place.seen.clear()

    place.sql("ALTER TYPE mood ADD VALUE 'mad'")
    assert (place.run(), place.missed) == ([], [])
    place.sql("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'")
    assert place.run() == ["Customer.total Customer!1"]


def test_a_part_that_is_a_foreign_table_is_told_of(pg: Engine) -> None:
    place, host = opened(pg), pg.url.query.get("host", pg.url.host)
    try:
        place.sql("CREATE EXTENSION postgres_fdw")
    except DBAPIError:
        pytest.skip("this PostgreSQL has no postgres_fdw")
    place.sql(
        OTHER,
        f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{pg.url.database}', host '{host}')",
        f"CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user '{pg.url.username}', password_required 'false')",
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
