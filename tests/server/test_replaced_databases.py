"""A server notices while it runs that its database was replaced or restored, and goes on with what is there now."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

import afterwork as aw
from afterwork.events import BeginsAnew, Broken, DatabaseLost
from afterwork.server import health
from tests.capture.continuity_scene import ORDERS, PLAIN, Place, opened
from tests.support.marks import ONLY_POSTGRESQL, ONLY_SQLITE
from tests.support.waiting import eventually

OFTEN = aw.Settings(prove_every=timedelta(milliseconds=50), grace=timedelta(seconds=5))


def file_of(place: Place) -> Path:
    return Path(str(place.engine.url.database))


def total(file: Path) -> object:
    """The total as a program sees it that opens the file anew."""
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT total FROM customer WHERE id = 1").fetchone()[0]


def write(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def restore(backup: Path, file: Path) -> None:
    with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(file, timeout=30)) as target:
        source.backup(target)


def begun_anew(place: Place) -> list[BeginsAnew]:
    return [event for event in place.seen if isinstance(event, BeginsAnew)]


def copy_of(file: Path, *statements: str) -> Path:
    """Copy a database, and change the copy."""
    copy = file.with_name("copy.db")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    write(copy, *statements)
    return copy


TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"


def dumped(file: Path) -> str:
    """The statements that make a database again, in the order in which the command sqlite3 has them."""
    with closing(sqlite3.connect(file)) as connection:
        lines: list[str] = []
        for name, made in connection.execute(f"{TABLES} ORDER BY rowid"):
            rows = connection.execute(f"SELECT * FROM {name}")
            lines += [f"{made};", *(f"INSERT INTO {name} VALUES ({', '.join(map(_literal, row))});" for row in rows)]
        rest = "SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY rowid"
        return "\n".join([*lines, *(f"{made};" for (made,) in connection.execute(rest))])


def _literal(value: object) -> str:
    with closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.execute("SELECT quote(?)", (value,)).fetchone()[0])


CHANGE = "UPDATE orders SET amount = 100 WHERE id = 1"
"""It makes a total of 102."""


def edited_dump(place: Place) -> str:
    """A dump with another amount: whoever edits a dump fires no trigger."""
    return dumped(file_of(place)).replace("INTO orders VALUES (1, 1, 1)", "INTO orders VALUES (1, 1, 100)")


def rename_over(place: Place) -> None:
    os.replace(copy_of(file_of(place), CHANGE), file_of(place))


def rename_over_without_logs(place: Place) -> None:
    copy = copy_of(file_of(place), CHANGE)
    for log in ("-wal", "-shm"):
        Path(f"{file_of(place)}{log}").unlink(missing_ok=True)
    os.replace(copy, file_of(place))


def delete_and_rename(place: Place) -> None:
    copy = copy_of(file_of(place), CHANGE)
    for log in ("", "-wal", "-shm"):
        Path(f"{file_of(place)}{log}").unlink(missing_ok=True)
    eventually(lambda: any(isinstance(event, DatabaseLost) for event in place.seen))
    os.replace(copy, file_of(place))


def rename_a_dump_over(place: Place) -> None:
    with closing(sqlite3.connect(file_of(place).with_name("made.db"))) as connection:
        connection.executescript(edited_dump(place))
    os.replace(file_of(place).with_name("made.db"), file_of(place))


def restore_a_dump_in_place(place: Place) -> None:
    with closing(sqlite3.connect(file_of(place), timeout=30)) as connection:
        drops = [f"DROP TABLE {name};" for (name,) in connection.execute(f"SELECT name FROM ({TABLES})")]
        connection.executescript("\n".join(["BEGIN IMMEDIATE;", *drops, edited_dump(place), "COMMIT;"]))


def restore_a_backup_in_place(place: Place) -> None:
    restore(copy_of(file_of(place), CHANGE), file_of(place))


def make_the_table_again(place: Place) -> None:
    made = "INSERT INTO orders VALUES (1, 1, 100), (2, 1, 2)"
    write(file_of(place), "BEGIN", "DROP TABLE orders", PLAIN[1], made)
    place.app.install(create_engine(place.engine.url))


WAYS: dict[str, tuple[Callable[[Place], None], int]] = {
    "another file is renamed to its name": (rename_over, 1),
    "another file is renamed to its name, and the logs are deleted": (rename_over_without_logs, 1),
    "the file is deleted, and another one comes": (delete_and_rename, 1),
    "a file made of a dump is renamed to its name": (rename_a_dump_over, 1),
    "a dump is restored in place": (restore_a_dump_in_place, 0),
    "a backup is restored in place": (restore_a_backup_in_place, 0),
    "a table is made again": (make_the_table_again, 0),
}
"""What happens beneath a server, and how often it then begins anew."""


@ONLY_SQLITE
@pytest.mark.parametrize("way", WAYS)
def test_values_become_right_where_a_file_is_replaced_or_restored_beneath_a_server(engine: Engine, way: str) -> None:
    happens, anew = WAYS[way]
    place = opened(engine, settings=OFTEN)
    file = file_of(place)
    with place.app.serving(engine):
        happens(place)
        eventually(lambda: len(begun_anew(place)) == anew)  # SQLite advises against opening the file sooner
        eventually(lambda: total(file) == 102)
        write(file, "UPDATE orders SET amount = 200 WHERE id = 1")
        eventually(lambda: total(file) == 202)
    assert len(begun_anew(place)) == anew
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@ONLY_SQLITE
def test_numbers_that_mean_nothing_after_a_restore_are_forgotten_by_each_server(engine: Engine) -> None:
    """The backup is from before the first run: what was read since then has no number in it.

    The second server begins anew, too, unless the first has given out the same numbers again by then.
    """
    place = Place(engine, settings=OFTEN)
    place.sql(*PLAIN)
    place.base.metadata.create_all(engine)
    place.install()
    file = file_of(place)
    backup = copy_of(file, "INSERT INTO customer (id) VALUES (1)", "INSERT INTO orders VALUES (1, 1, 50)")
    place.sql("INSERT INTO customer (id) VALUES (1)", ORDERS)
    place.run()
    with place.app.serving(engine), place.app.serving(engine):
        restore(backup, file)
        eventually(lambda: total(file) == 50)
        write(file, "UPDATE orders SET amount = 60")
        eventually(lambda: total(file) == 60)
    assert 1 <= len(begun_anew(place)) <= 2
    assert not [event for event in place.seen if isinstance(event, Broken)]


@ONLY_SQLITE
def test_a_file_that_is_gone_for_a_moment_is_waited_for_and_not_made(engine: Engine) -> None:
    place = opened(engine, settings=OFTEN)
    file = file_of(place)
    with place.app.serving(engine):
        file.rename(file.with_name("elsewhere"))
        eventually(lambda: any(isinstance(event, DatabaseLost) for event in place.seen))
        assert not file.exists()
        file.with_name("elsewhere").rename(file)
        write(file, CHANGE)
        eventually(lambda: total(file) == 102)
    assert begun_anew(place) == []


@ONLY_SQLITE
def test_a_link_that_leads_to_another_file_is_followed(engine: Engine, tmp_path: Path) -> None:
    place = opened(engine, settings=OFTEN)
    link = tmp_path / "current.db"
    link.symlink_to(file_of(place))
    at_link = create_engine(f"sqlite:///{link}")
    with place.app.serving(at_link):
        other = copy_of(file_of(place), CHANGE)
        link.with_name("next").symlink_to(other)
        os.replace(link.with_name("next"), link)
        eventually(lambda: total(other) == 102)
    at_link.dispose()


@ONLY_SQLITE
def test_what_is_run_by_hand_is_run_in_the_file_of_now(engine: Engine) -> None:
    place = opened(engine)
    assert place.run() == []
    with engine.connect(), engine.connect():
        pass  # two connections to this file wait in the pool
    os.replace(copy_of(file_of(place), CHANGE), file_of(place))
    assert place.run() == ["Customer.total Customer!1"]
    assert total(file_of(place)) == 102


@ONLY_SQLITE
def test_a_process_without_a_server_is_ready_again_once_its_file_was_replaced(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "GOOD_FOR_SECONDS", 0)
    place = opened(engine)
    assert place.app.health(engine).ready
    os.replace(copy_of(file_of(place)), file_of(place))
    assert not place.app.health(engine).ready
    assert place.app.health(engine).ready


@ONLY_POSTGRESQL
def test_values_become_right_where_a_database_is_dropped_and_made_again_beneath_a_server(engine: Engine) -> None:
    place = opened(engine, settings=OFTEN)
    name = engine.url.database
    place.sql(CHANGE)
    engine.dispose()
    other = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}_backup TEMPLATE {name}"))
        with place.app.serving(engine):
            eventually(lambda: place.total() == 102)
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            connection.execute(text(f"ALTER DATABASE {name}_backup RENAME TO {name}"))
            engine.dispose()
            eventually(lambda: place.total() == 102)
            place.sql("UPDATE orders SET amount = 200 WHERE id = 1")
            eventually(lambda: place.total() == 202)
    other.dispose()
    assert len(begun_anew(place)) == 1
