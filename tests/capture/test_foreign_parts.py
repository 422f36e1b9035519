"""A table may have a part that is a foreign table: whoever writes through the whole can still do so, and is noticed."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from tests.capture.continuity_scene import ORDERS, PLAIN, Place

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

COLUMNS = "id int NOT NULL, customer_id int NOT NULL, amount int NOT NULL"
FAR = f"CREATE TABLE far ({COLUMNS})"
PARTED = f"CREATE TABLE orders ({COLUMNS}) PARTITION BY RANGE (id)"
NEAR = "CREATE TABLE near PARTITION OF orders FOR VALUES FROM (1) TO (10)"
NESTED = (
    "CREATE TABLE upper PARTITION OF orders FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (id)",
    "CREATE TABLE middle PARTITION OF upper FOR VALUES FROM (10) TO (50)",
)
FOREIGN = "SERVER elsewhere OPTIONS (table_name 'far')"

SHAPES = {
    "a partition": (
        (PLAIN[0], PARTED, NEAR, FAR),
        f"CREATE FOREIGN TABLE parts PARTITION OF orders FOR VALUES FROM (10) TO (100) {FOREIGN}",
    ),
    "a partition of a partition": (
        (PLAIN[0], PARTED, NEAR, *NESTED, FAR),
        f"CREATE FOREIGN TABLE parts PARTITION OF upper FOR VALUES FROM (50) TO (100) {FOREIGN}",
    ),
    "a child": ((*PLAIN, FAR), f"CREATE FOREIGN TABLE parts () INHERITS (orders) {FOREIGN}"),
}

WRITES = {
    "INSERT INTO orders VALUES (3, 1, 100)": 103,
    "UPDATE orders SET amount = amount + 10": 23,
    "DELETE FROM orders WHERE amount = 1": 2,
    "UPDATE orders SET amount = 0 WHERE id > 50": 3,
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(shape: str, engine: Engine) -> Place:
    """A shop some of whose orders are on another server, which is this one."""
    tables, foreign = SHAPES[shape]
    found, host = Place(engine), engine.url.query.get("host", engine.url.host)
    try:
        found.sql("CREATE EXTENSION postgres_fdw")
    except DBAPIError:
        pytest.skip("this PostgreSQL has no postgres_fdw")
    found.sql(
        f"CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS"
        f" (dbname '{engine.url.database}', host '{host}')",
        f"CREATE USER MAPPING FOR PUBLIC SERVER elsewhere OPTIONS"
        f" (user '{engine.url.username}', password_required 'false')",
        *tables,
        foreign,
    )
    found.base.metadata.create_all(engine)
    return found


def begin(place: Place) -> None:
    place.install()
    place.sql("INSERT INTO customer (id) VALUES (1)", ORDERS, "INSERT INTO far VALUES (51, 9, 1), (52, 9, 1)")
    place.run()
    assert place.total() == 3


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_through_the_whole_counts(place: Place, write: str) -> None:
    begin(place)
    place.sql(write)
    place.run()
    assert place.total() == WRITES[write]
    assert place.faults() == ["capture on orders: what others change in parts, a foreign table, can't be captured"]
    assert place.install() == []


def test_one_that_is_gone_needs_no_caution_any_more(place: Place) -> None:
    begin(place)
    place.sql("DROP FOREIGN TABLE parts")
    place.install()
    place.run()
    place.sql("INSERT INTO customer (id) VALUES (2)", "UPDATE orders SET amount = 50 WHERE id = 1")
    assert (place.run().count("Customer.total Customer!1"), place.total()) == (1, 52)
    place.sql("UPDATE orders SET amount = 60 WHERE id = 1")
    assert place.run() == ["Customer.total Customer!1"]


def test_one_that_came_after_the_installation_is_told(shape: str, place: Place) -> None:
    """Until the next installation, PostgreSQL refuses statements that also write to the new part."""
    _, foreign = SHAPES[shape]
    place.sql("DROP FOREIGN TABLE parts")
    begin(place)
    place.sql(foreign)
    place.run()  # a server has noticed, and remembers the new part
    assert any("statements that write to orders fail" in fault for fault in place.faults())
    place.install()
    place.sql("UPDATE orders SET amount = amount + 10")
    place.run()
    assert place.total() == 23
