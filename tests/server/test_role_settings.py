"""What a role or a database has as settings reaches the jobs that ask for nothing else, and not what servers do
themselves."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import NotInstalled
from afterwork.store.dialects import database_of
from tests.support.kinds import KINDS, Base, SysAsyncTicket, Thing, nothing
from tests.support.settings import for_this_database
from tests.support.world import World, errors

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

OWN = [
    ("statement_timeout=5s", "0"),
    ("transaction_timeout=5s", "0"),
    ("idle_session_timeout=5s", "0"),
    ("lock_timeout=5s", "10s"),
    ("idle_in_transaction_session_timeout=5s", "69s"),
    ("default_transaction_isolation=serializable", "read committed"),
    ("default_transaction_read_only=on", "off"),
    ("default_transaction_deferrable=on", "off"),
    ("DateStyle=German, DMY", "ISO, DMY"),
    ("IntervalStyle=iso_8601", "postgres"),
]
"""Settings of a database, and what servers' own connections have instead."""


def cut(engine: Engine, connection: Connection) -> None:
    """End a connection from outside."""
    process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with engine.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})


LIMITS = ["statement_timeout", "transaction_timeout"]

WATCHED = ["sys_async_ticket", "afterwork_match", "afterwork_once", "afterwork_lane", "afterwork_cache"]
"""Tables whose rows only servers change."""


def test_an_installation_takes_its_time_whatever_limits_the_role_has(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in (
            "CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.06); END$$",
            "CREATE EVENT TRIGGER slowly ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slowly()",
        ):
            connection.execute(text(statement))

    with for_this_database(engine, "statement_timeout=50ms"):
        assert any(line.startswith("index ") for line in aw.Afterwork(Base).install(engine))


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    yield World(engine, Base)
    Thing.during = staticmethod(nothing)


def ask(world: World, *numbers: int) -> None:
    """Save things, with a ticket for each of their jobs."""
    with world.session() as session, session.begin():
        for number in numbers:
            thing = Thing(id=number, n=20)
            session.add(thing)
            aw.later(thing.work)
            aw.later(thing.call)


def shown(connection: Connection | Session, setting: str) -> str:
    return str(connection.execute(text(f"SHOW {setting}")).scalar())


def done(world: World) -> list[tuple[Any, ...]]:
    """What all jobs have made of the things."""
    things = world.all(Thing)
    return [(one.inside, one.outside, one.timed, one.copied, one.state) for one in things]


ALL_DONE = (1, 1, 1, 20, "big")
FAILED = {"ticket": (0, 1, 1, 20, "big"), "external": (1, 0, 1, 20, "big")}


@pytest.mark.parametrize(("setting", "own"), OWN)
def test_a_servers_own_connections_have_settings_of_their_own(engine: Engine, setting: str, own: str) -> None:
    """Also one that has been made anew because it was cut. Other connections have those of the database."""
    name, _, value = setting.partition("=")
    with for_this_database(engine, setting):
        database = database_of(engine, aw.Settings())
        with closing(database.connect()) as connection:
            assert shown(connection, name) == own
            cut(engine, connection)
            with pytest.raises(DBAPIError):
                connection.exec_driver_sql("SELECT 1")
            database.reconnect(connection)
            assert shown(connection, name) == own
        with engine.connect() as others:
            assert shown(others, name) == value


def test_each_kind_of_run_goes_well_whatever_the_database_has(world: World) -> None:
    ask(world, 1, 2, 3)
    odd = [setting for setting, _ in OWN if "timeout" not in setting]
    with for_this_database(world.engine, *odd):
        world.run()
    assert done(world) == [ALL_DONE] * 3
    assert errors(world.engine, SysAsyncTicket) == [None] * 6


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_of_the_role_hold_in_jobs_and_not_in_what_servers_write(world: World, limit: str) -> None:
    seen: dict[str, set[str]] = {}
    Thing.during = staticmethod(lambda kind, session: seen.setdefault(kind, set()).add(shown(session, limit)))
    ask(world, 1, 2, 3)
    note_who_writes(world.engine, limit)

    with for_this_database(world.engine, f"{limit}=77s"):
        world.run()

    assert done(world) == [ALL_DONE] * 3
    assert seen == {kind: {"77s"} for kind in KINDS}
    assert written_by(world.engine) == {(table, "0") for table in WATCHED}


def note_who_writes(engine: Engine, setting: str) -> None:
    """Let the database write down with which setting something was written."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE writer (place text, setting text)"))
        connection.execute(
            text(
                "CREATE FUNCTION note_writer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" INSERT INTO writer VALUES (TG_TABLE_NAME, current_setting('{setting}')); RETURN NULL; END $$"
            )
        )
        for table in WATCHED:
            connection.execute(
                text(
                    f"CREATE TRIGGER note_writer AFTER UPDATE ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION note_writer()"
                )
            )


def written_by(engine: Engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return {(place, setting) for place, setting in connection.execute(text("SELECT * FROM writer"))}


@pytest.mark.parametrize("kind", ["ticket", "external"])
def test_a_job_that_takes_too_long_for_its_role_fails_alone(world: World, kind: str) -> None:
    times = iter(range(1))

    def wait_once(at: str, session: Session) -> None:
        if at == kind and next(times, None) is not None:
            session.execute(text("SELECT pg_sleep(30)"))

    Thing.during = staticmethod(wait_once)
    ask(world, 1, 2, 3)
    with for_this_database(world.engine, "statement_timeout=300ms"):
        world.run()

    found = errors(world.engine, SysAsyncTicket)
    assert sorted("statement timeout" in (error or "") for error in found) == [False] * 5 + [True]
    assert sorted(done(world)) == sorted([ALL_DONE, ALL_DONE, FAILED[kind]])


PATHS = ["other", "public", "''", "other, pg_catalog", '"$user"']
"""Search paths that a role may be given while a server runs."""


def give_path(engine: Engine, path: str) -> None:
    """New connections to the database have a search path."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {engine.url.database} SET search_path = {path}")
    engine.dispose()


@pytest.mark.parametrize("path", PATHS)
def test_a_server_keeps_the_search_path_that_it_has_begun_with(world: World, path: str) -> None:
    ask(world, 1)
    with world.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
        connection.exec_driver_sql("CREATE TABLE other.afterwork_lane (name text)")
    database = database_of(world.engine, world.settings)
    with closing(database.connect()) as first:
        began_with = shown(first, "search_path")
    give_path(world.engine, path)
    with closing(database.connect()) as later:
        assert shown(later, "search_path") == began_with
        assert later.exec_driver_sql("SELECT count(*) FROM afterwork_lane WHERE NOT paused").scalar()


@pytest.mark.parametrize("path", ["other", "''", "other, pg_catalog"])
def test_a_search_path_that_leads_to_no_installation_is_refused_with_what_to_do(world: World, path: str) -> None:
    with world.engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
    give_path(world.engine, path)
    with pytest.raises(NotInstalled, match=r"There are some in schema public\. .*ALTER ROLE … SET search_path"):
        world.run()
    give_path(world.engine, "other, public")
    assert world.run()
