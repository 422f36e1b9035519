"""The model in one database, with users who write, three servers that keep it right, and an oracle that follows."""

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import unquote

from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Reached
from afterwork.jobs.run import Succeeded
from tests.properties.caches.definitions import BY_NAME, wrong_values
from tests.properties.caches.looks import Cache, Change, State
from tests.properties.caches.model import Base, pause
from tests.properties.caches.objects import hide
from tests.properties.caches.oracle import Oracle
from tests.properties.caches.rows import OWN_TABLES, USERS_TABLES, Writing, all_rows, changes
from tests.properties.caches.servers import (
    Hours,
    Killed,
    LongLived,
    Resident,
    ServerAtHand,
    arguments,
    prepare_postgresql,
    prepare_sqlite,
)
from tests.properties.caches.writes import ACTS, BESIDE_SERVERS, EMPTIES

REFUSED = {"55P03", "40P01", "40001", "23503", "23505"}
"""A row is locked or has changed since, or what was committed meanwhile makes a reference or a key impossible."""

CONTENDED = {"55P03", "40P01", "40001"}

TIDY_EVERY = 50
"""So many histories leave a lot of rows behind that are gone."""

SETTINGS = aw.Settings(lease=timedelta(milliseconds=1), lock_limit=timedelta(milliseconds=50), crash_limit=1_000_000)
CLAIMING = replace(SETTINGS, at_once=timedelta(0))
"""With this a server claims also what is quick, and calculates it beside all others."""


@dataclass
class Transaction:
    """A transaction of a user, and what it has changed so far."""

    connection: Connection
    changes: list[Change] = field(default_factory=list)
    hinders_servers: bool = False
    """Whether it may have locked rows that a server wants to write. An update that changes nothing locks a row, too."""


class World:
    """See the module. `disturbed` counts what has happened since the last quiet moment that leaves open how often a
    cache runs: kills, writes and other servers between two steps of a server; and what servers did after that."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.on_sqlite = url.get_backend_name() == "sqlite"
        self.clock = Hours()
        self.engine = create_engine(url, connect_args=arguments(url), pool_size=8)
        self.looking = create_engine(url, connect_args=arguments(url), isolation_level="AUTOCOMMIT").connect()
        if self.on_sqlite:
            event.listen(self.engine, "connect", prepare_sqlite)
            event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        else:
            event.listen(self.engine, "connect", prepare_postgresql)
        self.servers = [
            ServerAtHand(url, self.clock, Resident, CLAIMING),
            ServerAtHand(url, self.clock, LongLived, SETTINGS),
            ServerAtHand(url, self.clock, Resident, SETTINGS),
        ]
        self.oracle = Oracle()
        self.open: dict[int, Transaction] = {}
        self.disturbed = 0
        self.is_quiet = False
        self.kept_hour = 0.0
        self.at_work = False
        """Whether a server is in the middle of something: what it reads can't be emptied then."""
        self.histories = itertools.count(1)
        self.runs_before: dict[Cache, tuple[int, int]] = {}
        self.runs_expected: Counter[Cache] = Counter()
        """Those since the last quiet moment that nothing had disturbed, and that were as many as they had to be."""
        event.listen(Session, "do_orm_execute", hide)
        Base.metadata.create_all(self.engine)
        self.servers[0].app.install(self.servers[0].engine)
        self._learn()

    def close(self) -> None:
        event.remove(Session, "do_orm_execute", hide)
        self.looking.close()
        for closed in (self.engine.dispose, self.looking.engine.dispose, *(server.close for server in self.servers)):
            closed()

    def clear(self) -> None:
        """Be as new. Only what servers have learned of the model's calculations stays."""
        self.clock.hour = 0.0
        self.open.clear()
        self._execute(*self._emptying())
        if not self.on_sqlite and next(self.histories) % TIDY_EVERY == 0:
            self.looking.exec_driver_sql("VACUUM")  # nobody else does where tests run for hours
        self._begin_anew()

    def keep(self) -> None:
        """Keep how things are at this quiet moment, for `go_back`."""
        assert self.is_quiet
        self.kept_hour = self.clock.hour
        for name in (*self._names_of_users(), *self._own_names()):
            self._execute(f"DROP TABLE IF EXISTS kept_{name}", f"CREATE TABLE kept_{name} AS SELECT * FROM {name}")

    def go_back(self) -> None:
        """Be as when it was kept, but for what servers have learned since."""
        self.clock.hour = self.kept_hour
        users = [f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in self._names_of_users()]
        own = [f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in self._own_names()]
        self._execute(*self._emptying(), *users, "DELETE FROM afterwork_journal", "DELETE FROM afterwork_touch", *own)
        self._begin_anew()

    def _names_of_users(self) -> list[str]:
        return [table.name for table in USERS_TABLES]

    def _own_names(self) -> list[str]:
        return [f"afterwork_{name}" for name in (*OWN_TABLES, *(["read"] if self.on_sqlite else []))]

    def _emptying(self) -> list[str]:
        return [f"DELETE FROM {name}" for name in (*reversed(self._names_of_users()), *self._own_names())]

    def _execute(self, *statements: str) -> None:
        """In one transaction, in which PostgreSQL doesn't look at references."""
        with self.engine.begin() as connection:
            if self.on_sqlite:
                for statement in statements:
                    connection.exec_driver_sql(statement)
            else:
                connection.exec_driver_sql("; ".join(["SET LOCAL session_replication_role = replica", *statements]))

    def _learn(self) -> None:
        """Have each calculation read once all that it ever reads: from then on it is known which caches run first."""
        for writing in (
            ("insert a tag", 1, 1, 1), ("insert a group", 1, 1, 1), ("insert an item", 1, 1, 2),
            ("insert a part", 1, 1, 1), ("tag an item", 1, 1, 1), ("insert a node", 1, 1, 1),
            ("insert a node", 2, 1, 1), ("give a badge", 1, 1, 1), ("set an amount", 1, 40, 0),
            ("insert an owner", 1, 1, 1), ("insert a task", 1, 1, 1), ("insert a person", 1, 3, 1),
            ("save a boss", 1, 1, 1), ("insert a place", 1, 1, 1), ("insert a visit", 1, 1, 1),
        ):  # fmt: skip
            self.write([writing])
        for _ in range(2):
            self.servers[0].run()
        self.clear()

    # What users do.

    def write(self, writings: Sequence[Writing], commits: bool = True) -> None:
        """One transaction of a user's, from its beginning to its end."""
        number = 1 + max(self.open, default=0)
        self.begin(number)
        self.act(number, writings, alone=len(self.open) == 1)
        self.end(number, commits)

    def wait(self, hours: int) -> None:
        self.is_quiet = False
        self.clock.hour += hours

    def begin(self, number: int, isolation: str = "READ COMMITTED") -> None:
        self.is_quiet = False
        connection = self.engine.connect()
        if not self.on_sqlite:
            connection = connection.execution_options(isolation_level=isolation)
        connection.begin()
        self.open[number] = Transaction(connection)

    def act(self, number: int, writings: Sequence[Writing], alone: bool = False) -> None:
        """Do something in an open transaction. Beside others, what they hinder is not done."""
        transaction = self.open[number]
        connection = transaction.connection
        before = self.state(connection)
        for writing in writings:
            if not alone and writing[0] in EMPTIES:
                continue  # nobody could even read the table until the transaction ends
            transaction.hinders_servers |= writing[0] not in BESIDE_SERVERS
            with self._hindered(connection, alone and not self.at_work) as done:
                ACTS[writing[0]](connection, *writing[1:])
            if done:
                after = self.state(connection)
                transaction.changes += changes(writing, before, after, self.on_sqlite)
                before = after

    @contextmanager
    def _hindered(self, connection: Connection, alone: bool) -> Iterator[list[bool]]:
        done = [True]
        savepoint = None if alone else connection.begin_nested()
        try:
            yield done
        except DBAPIError as error:
            if savepoint is None or getattr(error.orig, "sqlstate", "") not in REFUSED:
                raise
            savepoint.rollback()
            done.clear()
        else:
            if savepoint is not None:
                savepoint.commit()

    def savepoint(self, number: int, writings: Sequence[Writing]) -> None:
        """Do something in an open transaction, and take it back."""
        transaction = self.open[number]
        kept = list(transaction.changes)
        with transaction.connection.begin_nested() as nested:
            self.act(number, writings)
            nested.rollback()
        transaction.changes = kept

    def end(self, number: int, commits: bool) -> None:
        transaction = self.open.pop(number)
        if commits:
            transaction.connection.commit()
        else:
            transaction.connection.rollback()
        transaction.connection.close()
        if commits and transaction.changes:
            self.oracle.committed(transaction.changes, self.state(), self.clock.hour)

    # What servers do.

    def run(self, server: int, meanwhile: Callable[[Reached | None], None] | None = None) -> None:
        """Let a server run until it is idle. Everything is right then, and nothing has run in vain: unless something
        happens `meanwhile`, which is known only when all is quiet."""
        self.is_quiet = False
        if self.disturbed or any(transaction.hinders_servers for transaction in self.open.values()):
            self.disturbed += 1
        expected, after = self.oracle.run(self.state(), self.clock.hour)
        ended = self._run(self.servers[server], meanwhile)
        if self.disturbed:
            self.oracle.note_possible(self.state(), self.clock.hour)
            return
        assert ended is not None
        assert all(isinstance(made.outcome, Succeeded) for made in ended), ended
        ran = Counter(_cache(made.run.work, made.run.root_id) for made in ended)
        state = self.state()
        assert wrong_values(state, self.clock.hour) == {}
        complaints = expected.complaints(ran, after)
        assert not complaints, (complaints, [made.run for made in ended])
        self.runs_expected += ran

    def _run(self, server: ServerAtHand, meanwhile: Callable[[Reached | None], None] | None) -> list[aw.Ended] | None:
        server.at_points, self.at_work = meanwhile, True
        pause.then = None if meanwhile is None else lambda: meanwhile(None)
        try:
            return server.run()
        except Exception as error:
            if not server.is_dead and not (self.disturbed and self._is_contended(error)):
                raise
        except Killed:
            pass
        finally:
            server.at_points = pause.then = None
            self.at_work = False
            if server.is_dead:
                self._bury(server.gone)
        return None

    def let_other_run(self, server: int) -> None:
        """Let another server run, while this one is at something."""
        self.disturbed += 1
        before = pause.then
        pause.then = None
        try:
            self.servers[(server + 1) % len(self.servers)].run()
        except DBAPIError as error:
            if not self._is_contended(error):
                raise
        finally:
            pause.then = before

    def abandon(self) -> None:
        """Leave nothing open, after whatever has gone wrong."""
        for transaction in self.open.values():
            transaction.connection.close()
        self.open.clear()

    def _is_contended(self, error: Exception) -> bool:
        if self.on_sqlite or not isinstance(error, DBAPIError):
            return "database is locked" in str(error)
        return getattr(error.orig, "sqlstate", "") in CONTENDED

    def _bury(self, gone: list[int]) -> None:
        """See to it that the database knows of the death, as it would of a process's."""
        if self.on_sqlite:
            with self.engine.begin() as connection:
                connection.execute(text("UPDATE afterwork_server SET process_started = 0"))
            return
        until = time.monotonic() + 10
        while self.looking.execute(_THERE, {"gone": gone}).scalar() and time.monotonic() < until:
            time.sleep(0.001)
        gone.clear()

    # Quiet moments.

    def settle(self) -> None:
        """End what is open, let servers run until nothing is due, and see that all is as it must be. That has been seen
        if nothing has happened since."""
        if self.is_quiet:
            return
        for number in list(self.open):
            self.end(number, commits=number % 2 == 0)
        if not self.disturbed:
            self.run(0)
            assert self.servers[0].run() == []
        else:
            self._settle_what_was_disturbed()
        self._check_quiet()
        self._begin_anew()

    def _settle_what_was_disturbed(self) -> None:
        for _ in range(10):
            made = [ended for server in (self.servers[0], self.servers[2]) for ended in server.run()]
            assert all(isinstance(run.outcome, Succeeded) for run in made), made
            if not made and not self._waiting():
                break
            self.clock.hour += 0.01  # what was hindered is put off by seconds
        else:
            raise AssertionError("it does not come to rest")
        oracle, hour, state = self.oracle, self.clock.hour, self.state()
        runs = self._runs()
        ran = {
            cache: count - before[1] if (before := self.runs_before.get(cache, (0, 0)))[0] == number else count
            for cache, (number, count) in runs.items()
        }
        in_vain = {cache: count for cache, count in ran.items() if count}.keys() - oracle.possibly_stale(hour)
        assert not in_vain, f"nothing that they read has changed: {in_vain}"
        missed = {cache for cache in oracle.certainly_stale(state, hour) if not ran.get(cache)}
        assert not missed, f"what they read has changed: {missed}"
        # Between two disturbances a cache runs once for all changes that there were; a run that was cut off may be
        # repeated, and a change in the midst of a run leaves it to be run again. Trees have a reason for each step.
        for (name, key), count in ran.items():
            if not BY_NAME[name].is_tree and name != "Node.mark":
                most = self.runs_expected[name, key] + 2 + 2 * self.disturbed
                assert count <= most, f"{name} {key} ran {count} times, not up to {most}"

    def _check_quiet(self) -> None:
        assert wrong_values(self.state(), self.clock.hour) == {}
        left = self.looking.execute(_LEFT).one()._asdict()
        assert not any(left.values()), left

    def _begin_anew(self) -> None:
        self.disturbed = 0
        self.runs_expected.clear()
        self.is_quiet = True
        self.oracle.quiet(self.state(), self.clock.hour)
        self.runs_before = self._runs()

    def _waiting(self) -> bool:
        return bool(self.looking.execute(text("SELECT count(*) FROM afterwork_due WHERE since IS NOT NULL")).scalar())

    def _runs(self) -> dict[Cache, tuple[int, int]]:
        """The number of each cache in the database, and how often it has run."""
        rows = self.looking.execute(_RUNS)
        return {_cache(row.name, row.root): (row.id, row.runs) for row in rows}

    def state(self, connection: Connection | None = None) -> State:
        """All rows, as a transaction sees them, or as everybody does."""
        return all_rows(connection or self.looking)


_THERE = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:gone)")

_LEFT = text(
    "SELECT "
    + ", ".join(
        f"(SELECT count(*) FROM afterwork_{what}) AS {name}"
        for name, what in {
            "journal": "journal",
            "recent": "recent",
            "touch": "touch",
            "claimed": "due WHERE claim IS NOT NULL",
            "due": "due WHERE since IS NOT NULL",
            "server": "server",
        }.items()
    )
)
"""What there must be nothing of at a quiet moment."""

_RUNS = text(
    "SELECT d.name, c.root, c.id, c.runs FROM afterwork_cache c JOIN afterwork_derivation d ON d.id = c.derivation"
)


def _cache(name: str, root: str | None) -> Cache:
    assert root is not None
    _, *parts = root.split("!")
    return name, int(parts[0]) if len(parts) == 1 else tuple(map(unquote, parts))
