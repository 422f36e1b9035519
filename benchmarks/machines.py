"""The cost of many waiting objects: `python benchmarks/machines.py [--many 100000]`.

Things wait in a state for their level to rise. One change lets one of them move. The cost of that is counted, among a
thousand that wait and among very many: guards evaluated, statements sent by the server, and rows read (PostgreSQL) or
steps of the virtual machine (SQLite). None may grow.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, NullPool, create_engine, event, insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from afterwork.store.caches.manifests import digest
from afterwork.store.dialects import manifest_store_of

FEW, MANY = 1_000, 100_000
LOOKED_AT = 100
"""The number of things that the server itself evaluates. The rows that it would leave for the others are written in
bulk."""

AT_ONCE = 10_000
ROWS_READ = text("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables")
SETTLE = {"postgresql": "VACUUM ANALYZE", "sqlite": "ANALYZE"}

HEADS = "digest, id, derivation, root, snapshot, runs, took, computed, cause, depth"
COPY = text(
    f"INSERT INTO afterwork_cache ({HEADS}) SELECT :digest, :id, derivation, :root, snapshot, runs, took, computed,"
    " cause, depth FROM afterwork_cache WHERE id = 1"
)
NUMBERS = text("SELECT setval(pg_get_serial_sequence('afterwork_cache', 'id'), (SELECT max(id) FROM afterwork_cache))")
LEFT = text("SELECT id, root, digest FROM afterwork_cache ORDER BY id")


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Waiting(StateChart[Any]):
    """A machine that waits for a level, then for a note."""

    idle = State(initial=True)
    ready = State()
    done = State(final=True)
    idle.to(ready, cond="is_up")
    ready.to(done, cond="is_noted")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str | None] = mapped_column()
    level: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="")
    flow = aw.machine(Waiting, state=state)
    asked: set[tuple[str, int]] = set()

    def is_up(self) -> bool:
        self.asked.add(("is_up", self.id))
        return self.level > 0

    def is_noted(self) -> bool:
        self.asked.add(("is_noted", self.id))
        return self.note != ""


@dataclass(frozen=True)
class Cost:
    """The cost of one move. `work` counts rows read, or steps of SQLite's virtual machine."""

    waiting: int
    asked: frozenset[tuple[str, int]]
    statements: int
    work: int
    seconds: float


class Bench:
    """Things in one database, and a server that has seen that none can move."""

    def __init__(self, url: URL) -> None:
        self.engine = create_engine(url, poolclass=NullPool)
        self.sent = self.steps = self.count = self.first = 0
        self.counts_steps = False
        self.manifests = manifest_store_of(self.engine.dialect.name)
        event.listen(self.engine, "connect", self._listen)
        event.listen(self.engine, "before_cursor_execute", self._sent)
        Base.metadata.create_all(self.engine)
        self.app = aw.Afterwork(Base)
        self.app.install(self.engine)

    def _listen(self, raw: Any, _: Any) -> None:
        if self.engine.dialect.name == "sqlite" and self.counts_steps:
            raw.set_progress_handler(self._stepped, 1)

    def _stepped(self) -> int:
        self.steps += 1
        return 0

    def _sent(self, *_: Any) -> None:
        self.sent += 1

    def fill(self, count: int) -> None:
        """Add things up to a number, each already evaluated."""
        if not self.count:
            self._add(range(1, LOOKED_AT + 1))
            self.app.run_until_idle(self.engine)
            self._check_what_is_left()
        for first in range(self.count + 1, count + 1, AT_ONCE):
            ids = range(first, min(first + AT_ONCE, count + 1))
            self._add(ids)
            self._leave(ids)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(SETTLE[self.engine.dialect.name])

    def _add(self, ids: range) -> None:
        rows = [{"id": number, "state": "idle", "level": 0, "note": ""} for number in ids]
        with self.engine.begin() as connection:
            connection.execute(insert(Thing), rows)
        self.count = ids[-1]

    def _check_what_is_left(self) -> None:
        """Check that the server leaves the rows that `_leave` writes."""
        with self.engine.connect() as connection:
            left = [(row.id, row.root, row.digest) for row in connection.execute(LEFT)]
            self.first = self.manifests.read_keys(connection, [1])[1][0]
            tokens = {
                cache: list(read) for cache, read in self.manifests.read_keys(connection, range(LOOKED_AT + 1)).items()
            }
        mine = range(1, LOOKED_AT + 1)
        assert left == [(number, f"Thing!{number}", digest([self._token(number)])) for number in mine]
        assert tokens == {number: [self._token(number)] for number in mine}

    def _token(self, number: int) -> int:
        return self.first - 1 + number

    def _leave(self, ids: range) -> None:
        """Write the rows that the server leaves after evaluating things, and forget that they are new."""
        heads = [{"id": n, "root": f"Thing!{n}", "digest": digest([self._token(n)])} for n in ids]
        with self.engine.begin() as connection:
            connection.execute(COPY, heads)
            self.manifests.save(connection, {number: [self._token(number)] for number in ids})
            connection.execute(text("DELETE FROM afterwork_journal"))
            if self.engine.dialect.name == "postgresql":
                connection.execute(NUMBERS)

    def move(self, number: int) -> Cost:
        """Let one thing move, and count the server's work."""
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE thing SET level = 1 WHERE id = :id"), {"id": number})
        before, Thing.asked = self._work(), set()
        self.counts_steps, self.sent, began = True, 0, time.perf_counter()
        ended = self.app.run_until_idle(self.engine)
        self.counts_steps, seconds, sent = False, time.perf_counter() - began, self.sent
        assert [one.run.root_id for one in ended] == [f"Thing!{number}"], ended
        return Cost(self.count, frozenset(Thing.asked), sent, self._work() - before, seconds)

    def _work(self) -> int:
        if self.engine.dialect.name == "sqlite":
            return self.steps
        time.sleep(0.5)  # connections that are closed say at their end what they have read
        with self.engine.connect() as connection:
            return int(connection.execute(ROWS_READ).scalar_one())


@contextmanager
def benches() -> Iterator[Iterator[Bench]]:
    from benchmarks.timers import places

    with places() as urls:
        yield (Bench(url) for url in urls.values())


def measured(bench: Bench, count: int) -> Cost:
    """Return the cost of a move among a number of things. The first move is not counted, since the server is new to
    it."""
    bench.fill(count)
    bench.move(count // 2)
    return bench.move(count // 2 + 1)


def is_as_it_must_be(few: Cost, many: Cost) -> bool:
    """Return whether only one thing was evaluated, and no cost has grown."""
    number = many.waiting // 2 + 1
    alone = many.asked == {("is_up", number), ("is_noted", number)}
    return alone and many.statements <= few.statements and many.work <= few.work * 1.1


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=MANY)
    many = parser.parse_args().many
    met = True
    with benches() as found:
        for bench in found:
            costs = [measured(bench, count) for count in (FEW, many)]
            kind = bench.engine.dialect.name
            for cost in costs:
                print(
                    f"{kind:10} {cost.waiting:9,} wait: {len(cost.asked)} guards asked, {cost.statements} statements, "
                    f"{cost.work:,} {'steps' if kind == 'sqlite' else 'rows read'}, {cost.seconds * 1000:.0f} ms",
                    flush=True,
                )
            met = met and is_as_it_must_be(*costs)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
