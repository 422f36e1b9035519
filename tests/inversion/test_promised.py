"""What docs/caches.md promises of values in sets and at commit, as far as no other test shows it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, func, insert, select, text, update

import afterwork as aw
from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.compute.refresher import Refresher
from afterwork.store.journal.tables import touch
from afterwork.store.postgresql.refresh import PostgreSQLRefresh
from afterwork.store.sqlite.refresh import SQLiteRefresh
from tests.inversion.alike import Customer, Region, Store
from tests.inversion.till import Till
from tests.inversion.workshop import WHY_NOT, Base, Bench, Tool
from tests.support.prepared import begin_with

ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def furnish(engine: Engine) -> None:
    """A bench has two tools, and all is right."""
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(insert(Bench), [{"id": 1}, {"id": 2}])
        connection.execute(insert(Tool), [{"id": n, "bench_id": 1, "weight": 2 * n} for n in (1, 2)])
    app.run_until_idle(engine)


@pytest.fixture
def workshop(engine: Engine) -> aw.Afterwork:
    begin_with(engine, furnish)
    return aw.Afterwork(Base)


def ran(app: aw.Afterwork, engine: Engine) -> list[str]:
    return sorted(ended.run.work for ended in app.run_until_idle(engine))


def value(engine: Engine, member: Any, key: int = 1) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(member).where(member.parent.class_.id == key)).scalar_one()


@contextmanager
def counting(engine: Engine, of: str) -> Iterator[list[str]]:
    """Collect the statements that write into a table, or read it."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if of in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_value_in_ocl_goes_in_sets(workshop: aw.Afterwork, engine: Engine) -> None:
    assert workshop.insight(engine).cache("Bench.by_ocl").is_in_sets
    with engine.begin() as connection:
        connection.execute(update(Tool).values(weight=10))

    workshop.run_until_idle(engine)

    assert value(engine, Bench.by_ocl) == 20


def test_it_is_told_why_a_value_does_not_go_in_sets_because_of_its_objects(
    workshop: aw.Afterwork, engine: Engine
) -> None:
    caches = {cache.name: cache.why_not_in_sets or "" for cache in workshop.insight(engine).caches()}

    assert {name for name, part in WHY_NOT.items() if part not in caches[name]} == set()


def test_many_changes_take_no_more_statements_than_one(store: Store) -> None:
    statements: list[int] = []
    for start, number in ((10, 1), (20, 1), (30, 50)):  # a first run has to learn
        rows = ", ".join(f"({start + n}, {1 + n % 2}, 1000)" for n in range(number + 1))
        store.sql(f"INSERT INTO orders (id, customer_id, amount) VALUES {rows}")
        with counting(store.engine, "afterwork_touch") as sent:
            refreshed_once(store)
        store.run()
        statements.append(len(sent))

    assert statements[1] == statements[2]
    assert not store.is_stale("in_sets", 2)


def refreshed_once(store: Store) -> None:
    database = store.app.database(store.engine)
    with closing(database.connect()) as connection:
        Refresher.of(matcher_of(database, store.app.model, connection), store.clock, uuid4()).refresh(connection)


def test_what_is_made_of_a_value_is_right_in_the_same_transaction(store: Store) -> None:
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    before = value(store.engine, Region.in_sets)

    refreshed_once(store)

    assert value(store.engine, Customer.in_sets) == 52
    assert value(store.engine, Region.in_sets) == before + 49


def test_a_trigger_writes_one_row_for_each_changed_row_and_route(workshop: aw.Afterwork, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Tool).values(weight=Tool.weight + 2))
        counts = dict(map(tuple, connection.execute(select(touch.c.route, func.count()).group_by(touch.c.route)).all()))

    in_sets = [cache for cache in workshop.insight(engine).caches() if cache.is_in_sets]
    of_tools = [cache.name for cache in in_sets if cache.name != "Bench.doubled"]
    assert len(counts) == len(of_tools)
    assert max(counts.values()) <= 2 * 2, "old and new, of two tools"
    assert 1 in counts.values(), "they are of one bench, which is noted once"


def test_a_condition_that_no_route_follows_lets_a_value_be_calculated_in_vain_and_wakes_nobody(
    workshop: aw.Afterwork, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Tool).values(id=9, bench_id=1, weight=7))

    runs = ran(workshop, engine)

    assert "Bench.even" in runs
    assert "Bench.doubled" not in runs
    assert value(engine, Bench.even) == 6


def test_no_more_objects_are_taken_at_a_time_than_is_said() -> None:
    assert (PostgreSQLRefresh.max_objects, SQLiteRefresh.max_objects) == (5_000, 5_000)


def test_verify_compares_the_expression_with_the_function(workshop: aw.Afterwork, engine: Engine) -> None:
    differences = {(one.name, one.root_id, one.stored, one.calculated) for one in workshop.verify(engine).differences}

    assert differences == {("Bench.wrong", "Bench!1", "6", "7"), ("Bench.wrong", "Bench!2", "0", "1")}


def test_a_function_that_is_not_implemented_leaves_its_value_to_the_expression(
    workshop: aw.Afterwork, engine: Engine
) -> None:
    verified = workshop.verify(engine)

    assert verified.checked["Bench.alone"] == 2
    assert "Bench.alone" not in {one.name for one in verified.differences}


@ON_POSTGRESQL
def test_at_commit_a_value_is_written_once_however_many_statements_change_it(till: Till) -> None:
    till.run()
    till.sql(
        "CREATE TABLE written (id int)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO written VALUES (NEW.id); RETURN NULL; END'",
        "CREATE TRIGGER note AFTER UPDATE OF total ON customer FOR EACH ROW EXECUTE FUNCTION note()",
    )

    till.sql(*[f"UPDATE line SET amount = {amount} WHERE id = 1" for amount in range(20, 30)])

    with till.engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM written")).scalars().all() == [1]
    assert till.wrong == []
