"""What only PostgreSQL has."""

from collections.abc import Callable

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, Numeric, Table, Text, create_engine, text

from afterwork.store.postgresql import wake_trigger
from afterwork.store.postgresql.capture_text import MAX_ROWS_PER_ENTRY
from tests.capture.conftest import Captured
from tests.support.marks import ONLY_POSTGRESQL

Start = Callable[..., Captured]


pytestmark = ONLY_POSTGRESQL


@pytest.fixture
def parts(captured: Start) -> Captured:
    table = captured(
        Table("part", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text), Column("n", Integer))
    )
    table.run("INSERT INTO part VALUES (1, 'a', 1), (2, 'b', 2)")
    return table


def test_truncate(parts: Captured) -> None:
    assert parts.run("TRUNCATE part") == ["T part None"]


def test_copy(parts: Captured) -> None:
    with parts.engine.begin() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy("COPY part FROM STDIN") as copy:
            copy.write_row((7, "x", 1))
            copy.write_row((8, None, 1))
    assert parts.told() == ["I part 7", "I part 8"]


def test_merge(parts: Captured) -> None:
    merge = """
        MERGE INTO part USING (VALUES (1, 'z'), (9, 'y')) AS s (id, name) ON part.id = s.id
        WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name, 0)
    """
    assert parts.run(merge) == ["I part 9", "U part 1 name"]


def test_a_session_that_plays_replica_is_captured_too(parts: Captured) -> None:
    with parts.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE part SET n = 5 WHERE id = 1"))
    assert parts.told() == ["U part 1 n"]


def test_writers_with_another_search_path_and_few_rights(parts: Captured) -> None:
    with parts.engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS afterwork_test_clerk"))
        connection.execute(text("CREATE ROLE afterwork_test_clerk"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON part TO afterwork_test_clerk"))
    try:
        with parts.engine.begin() as connection:
            connection.execute(text("SET LOCAL ROLE afterwork_test_clerk"))
            connection.execute(text("SET LOCAL search_path = pg_catalog"))
            connection.execute(text("UPDATE public.part SET n = 5 WHERE id = 1"))
            connection.execute(text("DELETE FROM public.part WHERE id = 2"))
        assert parts.told() == ["D part 2", "U part 1 n"]
    finally:
        with parts.engine.begin() as connection:
            connection.execute(text("DROP OWNED BY afterwork_test_clerk"))
            connection.execute(text("DROP ROLE afterwork_test_clerk"))


def test_an_installation_in_a_schema_of_its_own(engine: Engine, captured: Start) -> None:
    with engine.begin() as connection:
        connection.execute(text('CREATE SCHEMA "Odd %s"'))
    own = create_engine(engine.url, connect_args={"options": '-csearch_path="Odd\\ %s"'})
    table = Table("part", MetaData(), Column("id", Integer, primary_key=True))
    table.create(own)
    found = Captured(own, [table])
    found.install()
    with engine.begin() as connection:
        connection.execute(text('INSERT INTO "Odd %s".part VALUES (1)'))
    assert found.told() == ["I part 1"]
    assert found.problems() == []
    own.dispose()


def test_very_many_rows_are_written_down_in_parts(parts: Captured) -> None:
    count = MAX_ROWS_PER_ENTRY + 5
    parts.run("DELETE FROM part")
    with parts.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO part SELECT n, 'x', n FROM generate_series(1, {count}) AS n"))
        connection.execute(text("UPDATE part SET n = n + 1"))
        rows = connection.execute(text("SELECT count(*) FROM afterwork_journal")).scalar()
    changes = parts.changes()
    assert rows == 4
    assert len(changes) == 2 * count
    assert {change.key for change in changes} == set(range(1, count + 1))
    assert all(
        change.new is not None and change.new[2] == str(int(change.new[0] or 0) + 1) for change in changes[count:]
    )


def test_a_plan_made_for_one_row_serves_many(parts: Captured) -> None:
    with parts.engine.connect() as connection:
        for key in range(10):
            connection.execute(text("UPDATE part SET n = n + 1 WHERE id = :key"), {"key": key})
        connection.execute(text("INSERT INTO part SELECT n, 'x', n FROM generate_series(10, 15000) AS n"))
        connection.execute(text("SET LOCAL statement_timeout = '2s'"))
        connection.execute(text("UPDATE part SET n = n + 1"))
        connection.commit()
    assert len([change for change in parts.changes() if change.kind == "U"]) == 14_995


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("ALTER TABLE part DISABLE TRIGGER afterwork_1_delete", "is switched off"),
        ("ALTER TABLE part DISABLE TRIGGER ALL", "is switched off"),
        ("ALTER TABLE part ENABLE TRIGGER afterwork_1_insert", "is not on always"),
        ("ALTER TABLE part ENABLE REPLICA TRIGGER afterwork_1_insert", "is not on always"),
        ("DROP FUNCTION afterwork_capture_1 CASCADE", "is missing"),
    ],
)
def test_a_trigger_that_does_not_work_is_found_and_put_right(parts: Captured, damage: str, told: str) -> None:
    parts.run(damage)
    found = parts.problems()
    assert {problem.table for problem in found} == {"part"}
    assert any(told in problem.what for problem in found)
    assert parts.install().missed == ["part"]
    assert parts.problems() == []
    assert parts.run("DELETE FROM part WHERE id = 1") == ["D part 1"]


def test_a_trigger_that_was_off_for_a_while_is_found(parts: Captured) -> None:
    parts.run("ALTER TABLE part DISABLE TRIGGER ALL", "UPDATE part SET n = 9")
    parts.run(
        *(f"ALTER TABLE part ENABLE ALWAYS TRIGGER afterwork_1_{event}" for event in ("insert", "update", "delete"))
    )
    parts.run("ALTER TABLE part ENABLE ALWAYS TRIGGER afterwork_1_truncate")

    found = parts.problems()

    assert len(found) == 4
    assert "trigger afterwork_1_update of part was switched off or on, or made again" in {p.what for p in found}
    assert parts.install().missed == ["part"]
    assert (parts.problems(), parts.install().lines) == ([], ())


def test_vacuum_is_no_reason_to_worry(parts: Captured) -> None:
    with parts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FREEZE pg_trigger"))
        connection.execute(text("VACUUM FULL pg_trigger"))
    assert parts.problems() == []


def test_partitions_are_watched_as_the_whole_and_each(engine: Engine, captured: Start) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE sale (id int, year int, n int, PRIMARY KEY (id, year)) PARTITION BY LIST (year)")
        )
        connection.execute(text("CREATE TABLE sale_1 PARTITION OF sale FOR VALUES IN (1)"))
        connection.execute(text("CREATE TABLE sale_2 (n int, year int NOT NULL, id int NOT NULL)"))
        connection.execute(text("ALTER TABLE sale ATTACH PARTITION sale_2 FOR VALUES IN (2)"))
    table = Table(
        "sale",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("year", Integer, primary_key=True),
        Column("n", Integer),
    )
    found = captured(table)

    assert found.run("INSERT INTO sale VALUES (1, 1, 0), (2, 2, 0)") == ["I sale 1\x1f1", "I sale 2\x1f2"]
    assert found.run("UPDATE sale SET n = 5") == ["U sale 1\x1f1 n", "U sale 2\x1f2 n"]
    assert found.run("UPDATE sale_2 SET n = 6") == ["U sale 2\x1f2 n"]
    assert found.run("UPDATE sale SET year = 1 WHERE id = 2") == ["D sale 2\x1f2", "I sale 2\x1f1"]
    found.run("CREATE TABLE sale_3 PARTITION OF sale FOR VALUES IN (3)")
    assert "trigger afterwork_1_insert of sale_3 is missing" in {problem.what for problem in found.problems()}
    assert found.install().missed == ["sale"]
    assert found.run("INSERT INTO sale_3 VALUES (1, 3, 0)") == ["I sale 1\x1f3"]


def test_a_number_in_a_key_that_is_written_in_another_way_is_the_same_key(captured: Start) -> None:
    found = captured(
        Table("rate", MetaData(), Column("id", Numeric, primary_key=True, autoincrement=False), Column("n", Integer))
    )
    found.run("INSERT INTO rate VALUES (1.50, 1)")
    assert found.run("UPDATE rate SET n = 2, id = 1.50") == ["U rate 1.5 n"]
    assert found.run("UPDATE rate SET id = 1.5") == ["D rate 1.5", "I rate 1.5"]


def test_rows_whose_keys_change_once_more_by_a_cascade_are_told_as_they_end(captured: Start) -> None:
    tree = Table(
        "tree",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("parent", ForeignKey("tree.id", onupdate="CASCADE")),
    )
    found = captured(tree)
    found.run("INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2)")
    with found.engine.begin() as connection:
        connection.execute(text("UPDATE tree SET id = id + 100"))
    there: dict[object, object] = {}
    for change in found.changes():
        there.pop(change.key, None)
        if change.new is not None:
            there[change.key] = change.new
    assert there == {101: ("101", None), 102: ("102", "101"), 103: ("103", "102")}


def test_types_without_equality(engine: Engine, captured: Start) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA types"))
        connection.execute(text("CREATE TYPE types.mood AS ENUM ('sad', 'glad')"))
        connection.execute(text("CREATE DOMAIN types.short AS text"))
        connection.execute(
            text("CREATE TABLE thing (id int PRIMARY KEY, j json, p point, m types.mood, s types.short, a int[])")
        )
    names = ("j", "p", "m", "s", "a")
    table = Table("thing", MetaData(), Column("id", Integer, primary_key=True), *(Column(name, Text) for name in names))
    found = captured(table)
    found.run("INSERT INTO thing VALUES (1, '1', '(1,2)', 'sad', 'a', '{1}')")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path = pg_catalog"))
        connection.execute(text("UPDATE public.thing SET j = j, p = p, m = m, s = s, a = a"))
        assert found.told() == []
        change = "UPDATE public.thing SET j = '2', p = '(2,2)', m = 'glad', s = 'b', a = '{2}'"
        connection.execute(text(change))
    assert found.told() == ["U thing 1 j,p,m,s,a"]


def test_a_sleeping_server_is_woken_by_a_change_and_by_nothing_else(parts: Captured) -> None:
    with parts.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.exec_driver_sql(f"LISTEN {wake_trigger.channel(server)}")
        driver = server.connection.driver_connection
        assert driver is not None

        def wakes() -> int:
            return len(list(driver.notifies(timeout=0.2, stop_after=1)))

        parts.run("UPDATE part SET n = 7 WHERE id = 1")
        assert wakes() == 0
        server.execute(wake_trigger.FALL_ASLEEP)
        parts.run("UPDATE part SET n = 7 WHERE id = 1", "DELETE FROM part WHERE id = 77")
        assert wakes() == 0
        for statement in ("UPDATE part SET n = 8", "INSERT INTO part VALUES (5, 'x', 1)", "TRUNCATE part"):
            parts.run(statement)
            assert wakes() == 1


def test_columns_that_the_database_generates(engine: Engine, captured: Start) -> None:
    for kind in ("STORED", "VIRTUAL"):
        with engine.begin() as connection:
            if kind == "VIRTUAL" and connection.dialect.server_version_info < (18,):  # type: ignore[operator]
                pytest.skip("this PostgreSQL has no virtual columns")
            connection.execute(text("DROP TABLE IF EXISTS double"))
            connection.execute(
                text(f"CREATE TABLE double (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) {kind})")
            )
        table = Table(
            "double",
            MetaData(),
            Column("id", Integer, primary_key=True),
            Column("n", Integer),
            Column("twice", Integer),
        )
        found = captured(table)
        found.run("INSERT INTO double VALUES (1, 2)")
        with engine.begin() as connection:
            connection.execute(text("UPDATE double SET n = 3"))
        (change,) = found.changes()
        assert found.tell(change) == "U double 1 n,twice"
        assert found.image(change) == {"id": "1", "n": "3", "twice": "6"}
