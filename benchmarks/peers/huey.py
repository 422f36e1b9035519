"""Huey on SQLite: its queue in the same file as the customers, one worker thread, as it comes."""

import sqlite3
import threading

from huey import SqliteHuey  # type: ignore[import-not-found]

from benchmarks.drivers.driver import assign_sqlite, main


class Huey:
    def __init__(self, database: str) -> None:
        self.database = database
        self.huey = SqliteHuey("numbers", filename=database)
        self.task = self.huey.task(name="number")(self.number)
        self.own = threading.local()

    def number(self, customer: int) -> None:
        if not hasattr(self.own, "connection"):
            self.own.connection = sqlite3.connect(self.database, timeout=30, isolation_level=None)
            self.own.connection.execute("PRAGMA synchronous = FULL")
        assign_sqlite(self.own.connection, customer)

    def setup(self) -> None:
        pass  # its tables are made when it connects

    def enqueue(self, count: int) -> None:
        for customer in range(1, count + 1):
            self.task(customer)

    def send(self, customer: int) -> None:
        self.task(customer)

    def work(self) -> None:
        self.huey.create_consumer(workers=1, worker_type="thread").run()


if __name__ == "__main__":
    main(Huey)
