"""What `check` finds in PostgreSQL only, each made, found, mended, and gone."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import URL, DateTime, Engine, create_engine, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.insight import CheckLimits, Finding
from tests.conftest import Shop
from tests.support.pooler import pooler
from tests.support.postgres import Server
from tests.support.settings import for_this_database

AT_ONCE = CheckLimits(long_transaction=timedelta(0))

Wrong = Callable[..., list[Finding]]


@pytest.fixture
def url(postgres_server: Server) -> Iterator[URL]:
    with postgres_server.fresh_database() as found:
        yield found


def wrong(shop: Shop, words: str, limits: CheckLimits | None = None) -> list[Finding]:
    found = shop.app.insight(shop.engine).check(limits or CheckLimits())
    return [one for one in found if not one.right and words in one.what]


def name_of(engine: Engine) -> str:
    return str(engine.url.database)


def test_a_clock_of_this_machine_that_goes_wrong_is_told(the_shop: Shop) -> None:
    the_shop.clock.advance(timedelta(minutes=2))

    (found,) = wrong(the_shop, "clock of this machine")

    assert found.is_fault
    assert "ahead of that of the database" in found.what
    the_shop.clock.advance(-timedelta(minutes=2))
    assert wrong(the_shop, "clock of this machine") == []


def test_a_transaction_that_goes_on_for_long_is_told_with_who_has_it(the_shop: Shop) -> None:
    other = create_engine(the_shop.engine.url, connect_args={"application_name": "a report"})
    with other.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

        (found,) = wrong(the_shop, "a transaction is", AT_ONCE)

        assert f"pid {pid}" in found.what
        assert "a report, idle in transaction" in found.what
        assert f"pg_terminate_backend({pid})" in found.advice
        assert wrong(the_shop, "a transaction is") == []  # it is not long yet
    other.dispose()
    assert wrong(the_shop, "a transaction is", AT_ONCE) == []


def test_that_transactions_of_others_cannot_be_seen_is_told(the_shop: Shop) -> None:
    role = f"reader_{name_of(the_shop.engine)}"
    with the_shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
        admin.execute(text(f"CREATE ROLE {role} LOGIN"))
        admin.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
        limited = Shop(create_engine(the_shop.engine.url.set(username=role)))

        assert len(wrong(limited, "connections of other roles can't be seen")) == 1

        admin.execute(text(f"GRANT pg_read_all_stats TO {role}"))
        assert wrong(limited, "connections of other roles can't be seen") == []
        limited.engine.dispose()
        admin.execute(text(f"DROP OWNED BY {role}"))
        admin.execute(text(f"DROP ROLE {role}"))


def test_dead_rows_that_are_not_taken_away_are_told(the_shop: Shop) -> None:
    few = CheckLimits(dead_rows=10)
    assert wrong(the_shop, "dead rows", few) == []
    with the_shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("INSERT INTO afterwork_lane (name) SELECT 'l' || n FROM generate_series(1, 50) AS n"))
        connection.execute(text("DELETE FROM afterwork_lane WHERE name LIKE 'l%'"))
        connection.execute(text("SELECT pg_stat_force_next_flush()"))

        (found,) = wrong(the_shop, "afterwork_lane has 50 dead rows", few)

        assert "never vacuumed" in found.what
        assert "VACUUM afterwork_lane" in found.advice
        connection.execute(text("VACUUM afterwork_lane"))
        assert wrong(the_shop, "dead rows", few) == []


def test_a_table_that_is_left_out_of_autovacuum_is_told(the_shop: Shop) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(text("ALTER TABLE sys_async_ticket SET (autovacuum_enabled = off)"))

    (found,) = wrong(the_shop, "sys_async_ticket is left out of autovacuum")

    with the_shop.engine.begin() as connection:
        connection.execute(text(found.advice.partition(": ")[2].rstrip(".")))
    assert wrong(the_shop, "left out of autovacuum") == []


@pytest.mark.parametrize(
    ("weak", "sound"),
    [
        ("synchronous_commit=off", "synchronous_commit=on"),
        ("default_transaction_isolation=serializable", "default_transaction_isolation=read committed"),
    ],
)
def test_settings_that_weaken_what_is_promised_are_told(the_shop: Shop, weak: str, sound: str) -> None:
    told = weak.replace("=", " is ")
    with for_this_database(the_shop.engine, weak):
        assert [finding.is_note for finding in wrong(the_shop, told)] == [True]
    with for_this_database(the_shop.engine, sound):
        assert wrong(the_shop, told) == []


def test_too_few_free_connections_are_told(the_shop: Shop) -> None:
    assert wrong(the_shop, "connections are free") == []
    the_shop.app.settings = aw.Settings(workers=500)

    (found,) = wrong(the_shop, "connections are free")

    assert "A server of 500 workers may take 1003" in found.advice


def test_that_servers_are_not_woken_without_need_is_told(the_shop: Shop) -> None:
    the_shop.app.settings = aw.Settings(listen=False)

    assert [one.is_note for one in wrong(the_shop, "Settings.listen is off")] == [True]
    assert len(wrong(the_shop, "idle_in_transaction_session_timeout is off")) == 1
    with for_this_database(the_shop.engine, "idle_in_transaction_session_timeout=60s"):
        assert wrong(the_shop, "idle_in_transaction_session_timeout is off") == []


def test_a_pooler_that_keeps_no_session_is_found(the_shop: Shop) -> None:
    with pooler(the_shop.engine.url) as url:
        behind = Shop(create_engine(url))

        (found,) = wrong(behind, "a pooler is between")

        assert found.is_fault
        behind.app.settings = aw.Settings(listen=False)
        assert wrong(behind, "a pooler is between") == []
        assert wrong(behind, "connections keep their session") == []
        behind.engine.dispose()


class Naive(DeclarativeBase):
    type_annotation_map = {datetime: DateTime()}


class SysAsyncTicket(Naive):
    """A ticket of an application that has moments without a zone."""

    __tablename__ = "naive_ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    view_model: Mapped[str | None]
    root_id: Mapped[str | None]
    execute_earliest: Mapped[datetime | None]
    keep_receipt_minutes: Mapped[int] = mapped_column(default=10)
    done: Mapped[datetime | None]
    delete_time: Mapped[datetime | None]
    error: Mapped[str | None]
    created: Mapped[datetime | None] = mapped_column(server_default=func.now())


def test_columns_without_a_zone_in_a_database_of_another_zone_are_told(engine: Engine) -> None:
    Naive.metadata.create_all(engine)
    app = aw.Afterwork(Naive)
    app.install(engine)

    def told() -> list[str]:
        return [one.what for one in app.insight(engine).check() if "keep no time zone" in one.what]

    with for_this_database(engine, "timezone=Europe/Stockholm"):
        assert told() == [
            "execute_earliest, done, delete_time, created of naive_ticket keep no time zone, "
            "and the database's is Europe/Stockholm"
        ]
    with for_this_database(engine, "timezone=UTC"):
        assert told() == []
