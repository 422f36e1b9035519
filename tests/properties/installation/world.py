"""A database with two applications, their servers, and an oracle."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, bindparam, create_engine, event, text
from sqlalchemy.exc import DBAPIError

import afterwork as aw
from afterwork.errors import AfterworkError
from afterwork.events import Reached
from afterwork.jobs.run import Succeeded
from tests.properties.caches.servers import Hours, Killed, LongLived, ServerAtHand, arguments
from tests.properties.installation.layout import CREATE_BILLS, Layout, create_customers, create_orders
from tests.properties.installation.migrations import MIGRATIONS
from tests.properties.installation.oracle import Value, wrong_values
from tests.properties.installation.releases import CACHES, Release
from tests.properties.installation.switches import SWITCHES, UNSEEN
from tests.properties.installation.writes import ACTS, by_objects

Writing = tuple[str, int, int, int]
"""An act, and the numbers that it takes."""

TOUCH: list[Writing] = [("raise amounts", n, 0, 0) for n in (1, 2, 3, 4)] + [
    ("name a customer", 1, 1, 0),
    ("name a customer", 1, 4, 0),
    ("insert an order", 4, 2, 4),
]
"""After these, each value that is made of orders is another one."""

MADE_OF_ORDERS = frozenset({"total", "label", "notes", "count", "sum", "due"})
MINUTE = 1 / 60
SETTINGS = aw.Settings()
ROUNDS = 8
"""So often servers run before all must be quiet, some hours apart: what has failed is tried again by and by."""


@dataclass
class Deployed:
    """An application as it is installed now, and a server that has been there since an earlier release, perhaps."""

    release: Release
    old: ServerAtHand | None = None
    old_release: Release | None = None


@dataclass(frozen=True)
class Backup:
    """A copy of a file, and what was so when it was made."""

    file: Path
    layout: Layout
    installed: dict[str, Release]


class World:
    """See the module. `unseen` says that something has happened which the database can't tell."""

    def __init__(self, url: URL, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.dialect = url.get_backend_name()
        self.clock = Hours()
        self.engine = self._engine()
        self.layout = Layout(self.dialect)
        self.deployed: dict[str, Deployed] = {}
        self.apps: dict[Release, aw.Afterwork] = {}
        self.backup: Backup | None = None
        self.unseen = False

    def _engine(self) -> Engine:
        made = create_engine(self.url, connect_args=arguments(self.url))
        if self.dialect == "sqlite":
            event.listen(made, "connect", _prepare_sqlite)
            event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return made

    def begin(self, kind: str) -> None:
        """An empty database, in which the shop is installed."""
        self._stop()
        self.clock.hour, self.backup, self.unseen = 0.0, None, False
        self.deployed = {}
        partly = self.dialect == "postgresql" and kind != "plain"
        self.layout = Layout(self.dialect, kind if partly else "plain", parts=frozenset({1, 2} if partly else ()))
        self._clear()
        with self.engine.begin() as connection:
            for statement in (create_customers(self.layout), CREATE_BILLS, *create_orders(self.layout)):
                connection.exec_driver_sql(statement)
            for base in (self._newest("shop").base, self._newest("billing").base):
                base.classes[0].__table__.create(connection)
        self.install("shop", CACHES["shop"])

    def _clear(self) -> None:
        if self.dialect == "sqlite":
            Path(str(self.url.database)).unlink(missing_ok=True)
            return
        with self.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA IF EXISTS sales CASCADE")
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        """End all servers, and whoever is connected."""
        for deployed in self.deployed.values():
            if deployed.old is not None:
                deployed.old.close()
                deployed.old = None
        self.engine.dispose()

    def _newest(self, application: str) -> Release:
        return Release(application, self.layout, CACHES[application])

    # What users do.

    def write(self, writings: Sequence[Writing], commits: bool = True) -> None:
        """One transaction."""
        with self.engine.connect() as connection:
            connection.begin()
            self._write(connection, writings)
            connection.commit() if commits else connection.rollback()

    def _write(self, connection: Connection, writings: Sequence[Writing]) -> None:
        for name, *numbers in writings:
            ACTS[name](connection, self.layout, *numbers)

    def write_by_objects(self, a: int, b: int, c: int) -> None:
        """A unit of work of the shop's own program, if its release fits the tables."""
        release = self.deployed["shop"].release
        if release.fits(self.layout) and (self.layout.kind != "partitioned" or self.layout.parts):
            with self.engine.begin() as connection:
                by_objects(connection, release, a, b, c)

    def write_unseen(self, how: str, writings: Sequence[Writing]) -> None:
        """Write while capture is switched off in some way."""
        with self.engine.begin() as connection:
            SWITCHES[how](connection, self.layout, lambda: self._write(connection, writings))
        self.unseen |= how in UNSEEN

    # What operators do.

    def migrate(self, name: str, year: int) -> None:
        """Alter the tables, as a migration that is run by itself."""
        with self.engine.begin() as connection:
            if self.dialect == "sqlite":  # which refuses to rename a table while a trigger names one that is gone
                for trigger in connection.execute(_AT_COMMIT).scalars().all():
                    connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            self.layout = MIGRATIONS[name](connection, self.layout, year) or self.layout

    def install(self, application: str, caches: frozenset[str], watches: bool = True, maps_parts: bool = False) -> None:
        """Deploy a release of an application that fits the tables; its old server goes on. What is refused, is not
        deployed."""
        maps_parts = maps_parts and self.layout.kind == "partitioned"
        if "total" not in caches:
            caches = caches - {"label"}
        if not watches:
            caches = caches - {"sum"}
        if not self.layout.has_note:
            caches = caches - {"notes"}
        release = Release(application, self.layout, caches, watches, maps_parts)
        try:
            self._app(release).install(self.engine)
        except AfterworkError:
            assert application in self.deployed or len(self.deployed) > 0, "the first one is not refused"
            return
        before = self.deployed.get(application)
        self.deployed[application] = Deployed(release) if before is None else replace(before, release=release)

    def _app(self, release: Release) -> aw.Afterwork:
        if release not in self.apps:
            self.apps[release] = aw.Afterwork(release.base, clock=self.clock, settings=SETTINGS)
        return self.apps[release]

    def save(self) -> None:
        """Make a backup of the file."""
        if self.dialect == "sqlite":
            file = self.folder / "backup.db"
            file.unlink(missing_ok=True)
            with closing(self.engine.raw_connection()) as connection:
                connection.execute("VACUUM INTO ?", (str(file),))
            self.backup = Backup(
                file, self.layout, {name: deployment.release for name, deployment in self.deployed.items()}
            )

    def restore(self) -> None:
        """Bring the file back as it was at the backup, with the programs of that time."""
        if self.backup is not None:
            self._stop()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.url.database}{suffix}").unlink(missing_ok=True)
            shutil.copy(self.backup.file, str(self.url.database))
            self.layout = self.backup.layout
            self.deployed = {name: Deployed(release) for name, release in self.backup.installed.items()}

    # What servers do.

    def run(self, application: str) -> list[aw.Ended]:
        """A server that has just been started runs until it is idle."""
        if application not in self.deployed:
            return []
        release = self.deployed[application].release
        with self._may_fail(release):
            return self._app(release).run_until_idle(self.engine)
        return []

    def run_an_old_one(self, application: str, at: int | None) -> None:
        """A server that has been there for long runs until it is idle, or dies."""
        deployed = self.deployed.get(application)
        if deployed is None:
            return
        if deployed.old is None:
            deployed.old = ServerAtHand(self.url, self.clock, LongLived, SETTINGS, deployed.release.base)
            deployed.old_release = deployed.release
        self.clock.hour += 2 * MINUTE
        server, points = deployed.old, iter(range(1_000_000))

        def die(point: Reached) -> None:
            if next(points) == at:
                server.die()

        server.at_points = None if at is None else die
        assert deployed.old_release is not None
        try:
            with self._may_fail(deployed.old_release):
                server.run()
        except Killed:
            pass
        except Exception:
            if not server.is_dead:
                raise
        if server.is_dead:
            self._bury(server.gone)
            server.close()
            deployed.old = None

    def serve(self, application: str, writings: Sequence[Writing]) -> None:
        """A server runs in the background while something is written."""
        if application in self.deployed:
            release = self.deployed[application].release
            with self._may_fail(release), self._app(release).serving(self.engine):
                self.write(writings)

    @contextmanager
    def _may_fail(self, release: Release) -> Iterator[None]:
        """A server whose model does not fit the tables may say so."""
        try:
            yield
        except (DBAPIError, AfterworkError):
            if release.fits(self.layout):
                raise

    def _bury(self, gone: list[int]) -> None:
        with self.engine.begin() as connection:
            if self.dialect == "sqlite":
                connection.execute(text("UPDATE afterwork_server SET process_started = 0"))
        while gone:
            with self.engine.connect() as connection:
                lock = connection.execute(
                    text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:g)"), {"g": gone}
                )
                if not lock.scalar():
                    gone.clear()

    # Quiet moments.

    def look(self) -> None:
        """Servers that fit run, and where a value is wrong then, `check` names the table."""
        if not all(deployment.release.fits(self.layout) for deployment in self.deployed.values()):
            return
        self._come_to_rest()
        wrong = self._wrong()
        if wrong and not self.unseen:
            assert self._told(), f"nothing is told of {wrong}"

    def settle(self) -> None:
        """Releases that fit are deployed and servers run until nothing is due. All is right then."""
        self.look()
        for name, deployment in list(self.deployed.items()):
            self.install(name, CACHES[name])
            assert self.deployed[name] is not deployment, f"{name} can't be installed again"
        self._come_to_rest()
        if self.unseen:
            self._app(self.deployed["shop"].release).repair(self.engine)
            self.unseen = False
            self._come_to_rest()
        self._assert_right()
        assert (told := self._told()) == [], told
        self.write(TOUCH)
        self._come_to_rest()
        self._assert_right()

    def _come_to_rest(self) -> None:
        for _ in range(ROUNDS):
            ended = [run for name in self.deployed for run in self.run(name)]
            if not (left := self._left()):
                break
            self.clock.hour += 2
        else:
            raise AssertionError(f"it does not come to rest: {left}, {ended}")
        failed = [run for run in ended if not isinstance(run.outcome, Succeeded)]
        assert not failed or not self._watches_orders(), failed

    def _names(self) -> list[str]:
        """The caches of all that is deployed."""
        classes = {"shop": "Customer", "billing": "Bill"}
        return [
            f"{classes[name]}.{column}"
            for name, deployment in self.deployed.items()
            for column in deployment.release.caches
        ] or [""]

    def _watches_orders(self) -> bool:
        return all(one.release.watches_orders for one in self.deployed.values())

    def _left(self) -> list[str]:
        """What is in the journal or waits to run, in words."""
        if not any(deployment.release.caches for deployment in self.deployed.values()):
            return []  # nobody is there who would take it
        with self.engine.connect() as connection:
            counts = connection.execute(_LEFT, {"caches": self._names()}).one()._asdict()
        if not self._watches_orders():
            counts["waiting"] = 0  # what reads orders fails and is tried again
        return [f"{count} {name}" for name, count in counts.items() if count]

    def _assert_right(self) -> None:
        assert (wrong := self._wrong()) == {}, wrong

    def _wrong(self) -> dict[Value, tuple[Any, Any]]:
        columns: frozenset[str] = frozenset()
        for deployment in self.deployed.values():
            release = deployment.release
            columns |= release.caches - (frozenset() if release.watches_orders else MADE_OF_ORDERS)
        with self.engine.connect() as connection:
            return wrong_values(connection, self.layout, columns)

    def _told(self) -> list[str]:
        """What `check` says is wrong with capture."""
        return [
            finding.what
            for deployment in self.deployed.values()
            for finding in self._app(deployment.release).insight(self.engine).check()
            if not finding.right and finding.topic == "capture"
        ]


_AT_COMMIT = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'afterwork_commit_%'")

_LEFT = text(
    "SELECT (SELECT count(*) FROM afterwork_journal) AS journal, (SELECT count(*) FROM afterwork_recent) AS recent,"
    " (SELECT count(*) FROM afterwork_touch) AS touches,"
    " (SELECT count(*) FROM afterwork_due u JOIN afterwork_derivation d ON d.id = u.derivation"
    " WHERE u.since IS NOT NULL AND d.name IN :caches) AS waiting"
).bindparams(bindparam("caches", expanding=True))


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    for setting in ("journal_mode = WAL", "synchronous = OFF"):
        connection.execute(f"PRAGMA {setting}")
