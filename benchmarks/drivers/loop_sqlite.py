"""The baseline on SQLite: a loop written by hand with sqlite3, a transaction per job, polling every 5 ms."""

import sqlite3
import time

from benchmarks.drivers.driver import ASSIGN, NEXT_NUMBER, log, main

TAKE = "SELECT id, customer FROM job WHERE done IS NULL ORDER BY id LIMIT 1"
POLL = 0.005


class Loop:
    def __init__(self, database: str) -> None:
        self.connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")

    def setup(self) -> None:
        self.connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, customer INT NOT NULL, done REAL)")
        self.connection.execute("CREATE INDEX job_todo ON job (id) WHERE done IS NULL")

    def enqueue(self, count: int) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO job (customer) VALUES (?)", [(n,) for n in range(1, count + 1)])
        self.connection.execute("COMMIT")

    def send(self, customer: int) -> None:
        self.connection.execute("INSERT INTO job (customer) VALUES (?)", (customer,))

    def work(self) -> None:
        while True:
            if self.connection.execute(TAKE).fetchone() is None:
                time.sleep(POLL)
            else:
                self.one()

    def one(self) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        job, customer = execute(TAKE).fetchone()
        (number,) = execute(NEXT_NUMBER).fetchone()
        execute(ASSIGN.replace("%s", "?"), (number, time.time(), customer))
        execute("UPDATE job SET done = ? WHERE id = ?", (time.time(), job))
        execute("COMMIT")
        log.committed(customer, time.time())


if __name__ == "__main__":
    main(Loop)
