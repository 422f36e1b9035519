"""Afterwork itself: `app.serve` in a process of its own, with the default settings."""

import json
import time

from sqlalchemy import create_engine, insert

import afterwork as aw
from afterwork.events import Event, Ran, Reached
from benchmarks.drivers.driver import log, main
from benchmarks.support.model import Base, SysAsyncTicket
from benchmarks.support.process import resident_mb

WORK = "Customer.assign_number"
ASK = f"INSERT INTO {SysAsyncTicket.__tablename__} (view_model, root_id) VALUES (%s, %s)"
AT_ONCE = 10_000
MEMORY_EVERY = 1000


def sqlalchemy_url(database: str) -> str:
    if database.startswith("postgresql://"):
        return database.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"sqlite:///{database}"


class Watch:
    """Notes the times of a server's first begin and last commit, and its memory meanwhile."""

    def __init__(self) -> None:
        self.first = self.last = self.committed = 0.0
        self.runs = 0
        self.memory: list[float] = []

    def __call__(self, event: Event) -> None:
        match event:
            case Reached(point="claimed") if not self.first:
                self.first = time.perf_counter()
            case Reached(point="after commit"):
                self.committed = time.time()
                self.last = time.perf_counter()
            case Ran(root_id=root_id):
                self.runs += 1
                log.committed(int((root_id or "").rpartition("!")[2]), self.committed)
                if self.runs % MEMORY_EVERY == 0:
                    self.memory.append(resident_mb())
            case _:
                pass

    def report(self) -> str:
        return json.dumps({"runs": self.runs, "seconds": self.last - self.first, "memory": self.memory})


class Afterwork:
    def __init__(self, database: str) -> None:
        self.database = database
        self.engine = create_engine(sqlalchemy_url(database))
        self.connection = self.engine.raw_connection()
        self.ask = ASK if self.engine.dialect.name == "postgresql" else ASK.replace("%s", "?")

    def setup(self) -> None:
        Base.metadata.create_all(self.engine)
        aw.Afterwork(Base).install(self.engine)

    def enqueue(self, count: int) -> None:
        rows = [{"view_model": WORK, "root_id": f"Customer!{n}"} for n in range(1, count + 1)]
        with self.engine.begin() as connection:
            for start in range(0, count, AT_ONCE):
                connection.execute(insert(SysAsyncTicket), rows[start : start + AT_ONCE])

    def send(self, customer: int) -> None:
        """Send a ticket as a plain row, so that only the statement and the commit precede the noted time."""
        self.connection.cursor().execute(self.ask, (WORK, f"Customer!{customer}"))
        self.connection.commit()

    def work(self) -> None:
        self.connection.close()
        watch = Watch()
        aw.Afterwork(Base, on_event=watch).serve(self.engine)
        print(watch.report(), flush=True)


if __name__ == "__main__":
    main(Afterwork)
