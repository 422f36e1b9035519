"""What keeps changes on PostgreSQL from being captured."""

from tests.capture.continuity_scene import CHILDREN, PARTS, PLAIN

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
