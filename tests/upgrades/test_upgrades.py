"""Databases that older releases have left are taken over, from 0.1.0 on: nothing is lost, and all goes on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, Engine, create_engine, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.postgres import Server
from tests.upgrades.freeze import FROZEN
from tests.upgrades.model import Base, Customer, Order, SysAsyncTicket

RELEASES = sorted(folder.name for folder in FROZEN.iterdir())


@pytest.fixture
def app() -> aw.Afterwork:
    return aw.Afterwork(Base)


@pytest.fixture(params=RELEASES)
def old(request: pytest.FixtureRequest, engine: Engine) -> Engine:
    """A database as a release has left it."""
    script = (FROZEN / request.param / f"{engine.dialect.name}.sql").read_text()
    match engine.dialect.name:
        case "sqlite":
            with closing(sqlite3.connect(str(engine.url.database))) as connection:
                connection.executescript(script)
        case _:
            dsn = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            with psycopg.connect(dsn) as connection:
                connection.execute(script.encode())
    return engine


def faults(app: aw.Afterwork, engine: Engine) -> list[str]:
    return [f"{finding.what}: {finding.advice}" for finding in app.insight(engine).check() if finding.is_fault]


def test_this_version_has_written_down_what_it_leaves() -> None:
    """Before a release: python -m tests.upgrades.freeze."""
    assert aw.__version__ in RELEASES
    assert all((FROZEN / release / f"{kind}.sql").exists() for release in RELEASES for kind in ("sqlite", "postgresql"))


def test_after_an_installation_all_is_as_it_should_be(app: aw.Afterwork, old: Engine) -> None:
    app.install(old)

    assert faults(app, old) == []
    assert app.install(old) == []


def test_what_waits_is_done_and_what_is_done_is_not_done_again(app: aw.Afterwork, old: Engine) -> None:
    app.install(old)
    ran = [str(ended.run.work) for ended in app.run_until_idle(old)]

    assert ran.count("Customer.assign_number") == 1
    assert "Once.greet" not in ran
    with Session(old) as session:
        assert session.scalars(select(Customer.number).order_by(Customer.id)).all() == [1, 2, 3]
        assert session.get_one(Customer, 1).name == "Ann", "its lane is paused"
    app.control(old).resume("names")
    app.run_until_idle(old)
    with Session(old) as session:
        assert session.get_one(Customer, 1).name == "ANN"


def test_changes_that_waited_make_values_right(app: aw.Afterwork, old: Engine) -> None:
    app.install(old)
    app.run_until_idle(old)

    with Session(old) as session:
        values = session.execute(select(Customer.total, Customer.largest).order_by(Customer.id)).all()
        assert [tuple(row) for row in values] == [(60, 40), (5, 5), (7, 7)]
        assert session.get_one(Order, 2).state == "paid"
    assert app.verify(old).differences == []


def test_values_follow_from_then_on(app: aw.Afterwork, old: Engine) -> None:
    app.install(old)
    app.run_until_idle(old)
    with old.begin() as connection:
        connection.execute(text("UPDATE customer_order SET amount = 9 WHERE id = 3"))
    app.run_until_idle(old)

    with Session(old) as session:
        bob = session.get_one(Customer, 2)
        assert (bob.total, bob.largest) == (9, 9)


def test_receipts_and_histories_stay(app: aw.Afterwork, old: Engine) -> None:
    app.install(old)

    with Session(old) as session:
        error = session.get_one(SysAsyncTicket, 3).error
        assert error is not None
        assert "Customer.nothing" in error
        assert session.get_one(SysAsyncTicket, 1).done is not None
    insight = app.insight(old)
    moved = insight.object_in_machine("Order!1", "flow").transitions.items
    assert [(one.source, one.target) for one in moved] == [("placed", "paid"), (None, "placed")]
    assert {total.work: total.sums.done for total in insight.totals()}["Customer.assign_number"] == 2


@contextmanager
def new_database(old: Engine, server: Server, folder: Path) -> Iterator[Engine]:
    """An empty database of the same kind."""
    if old.dialect.name == "sqlite":
        yield from _engine(URL.create("sqlite", database=str(folder / "new.db")))
    else:
        with server.fresh_database() as url:
            yield from _engine(url)


def _engine(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


def structure(engine: Engine) -> dict[str, str]:
    """Describe all that Afterwork has in a database: columns, indexes, triggers and functions, each by its name."""
    with engine.connect() as connection:
        return {
            f"{kind} {name}": said
            for kind, statement in STRUCTURE[engine.dialect.name].items()
            for name, said in connection.execute(text(statement))
        }


STRUCTURE = {
    "sqlite": {
        "column": (
            "SELECT t.name || '.' || c.name, c.type || c.\"notnull\" || coalesce(c.dflt_value, '-') || c.pk "
            "FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'"
        ),
        "index or trigger": "SELECT name, sql FROM sqlite_master WHERE type <> 'table'",
    },
    "postgresql": {
        "column": (
            "SELECT attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod) || attnotnull || "
            "coalesce(pg_get_expr(adbin, adrelid), '-') FROM pg_attribute JOIN pg_class c ON c.oid = attrelid "
            "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"
        ),
        "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "trigger": (
            "SELECT tgrelid::regclass || ' ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        ),
        "function": (
            "SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'afterwork%'"
        ),
    },
}


def test_an_old_installation_becomes_what_a_new_one_is(
    app: aw.Afterwork, old: Engine, postgres_server: Server, tmp_path: Path
) -> None:
    """So whatever is added to the tables needs another `SCHEMA_VERSION`."""
    app.install(old)
    with new_database(old, postgres_server, tmp_path) as new:
        Base.metadata.create_all(new)
        app.install(new)

        assert structure(old) == structure(new)
