"""A connection that stays open from one `run_until_idle` to the next: nobody notices but the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from tests.support import shop
from tests.support.prepared import installed

ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@contextmanager
def connections(engine: Engine) -> Iterator[list[object]]:
    """The connections that are made while the block lasts."""
    made: list[object] = []

    def note(connection: object, record: object) -> None:
        made.append(connection)

    event.listen(engine, "connect", note)
    try:
        yield made
    finally:
        event.remove(engine, "connect", note)


def test_one_connection_serves_all_runs(engine: Engine) -> None:
    app = installed(engine, shop.Base)
    engine.dispose()

    with connections(engine) as made:
        for _ in range(3):
            app.run_until_idle(engine)

    assert len(made) == 1


def test_it_is_closed_with_the_engine_s_own(url: URL) -> None:
    engine = create_engine(url)
    app = installed(engine, shop.Base)
    app.run_until_idle(engine)

    engine.dispose()

    with connections(engine) as made:
        app.run_until_idle(engine)
    assert len(made) == 1
    engine.dispose()


def test_nothing_is_kept_where_the_engine_keeps_nothing(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool)
    app = installed(engine, shop.Base)

    with connections(engine) as made:
        app.run_until_idle(engine)
        app.run_until_idle(engine)

    assert len(made) == 2


@ON_POSTGRESQL
def test_one_that_was_cut_is_replaced(engine: Engine) -> None:
    app = installed(engine, shop.Base)
    app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        )

    assert app.run_until_idle(engine) == []


@ON_POSTGRESQL
def test_it_holds_no_lock_in_between(engine: Engine) -> None:
    app = installed(engine, shop.Base)
    app.run_until_idle(engine)

    with engine.connect() as connection:
        held = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert connection.execute(held).scalar() == 0


def test_one_in_which_a_run_was_broken_off_is_not_used_again(engine: Engine) -> None:
    app = installed(engine, shop.Base)
    engine.dispose()
    elsewhere = create_engine(engine.url)

    with connections(engine) as made:
        app.run_until_idle(engine)
        with elsewhere.begin() as connection:
            connection.execute(text("ALTER TABLE afterwork_server RENAME TO gone"))
        with pytest.raises(DBAPIError, match="afterwork_server"):
            app.run_until_idle(engine)
        with elsewhere.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO afterwork_server"))
        app.run_until_idle(engine)

    assert len(made) == 2
    elsewhere.dispose()
