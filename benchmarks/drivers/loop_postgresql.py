"""The baseline on PostgreSQL: a loop written by hand with psycopg, one transaction per job, woken by LISTEN."""

import time

import psycopg

from benchmarks.drivers.driver import ASSIGN, NEXT_NUMBER, log, main

TAKE = """
    SELECT id, customer FROM job WHERE done IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
FALLBACK_POLL = 5.0


class Loop:
    def __init__(self, database: str) -> None:
        self.connection = psycopg.connect(database, autocommit=True)

    def setup(self) -> None:
        self.connection.execute(
            "CREATE TABLE job (id bigserial PRIMARY KEY, customer int NOT NULL, done timestamptz);"
            "CREATE INDEX job_todo ON job (id) WHERE done IS NULL"
        )

    def enqueue(self, count: int) -> None:
        self.connection.execute("INSERT INTO job (customer) SELECT generate_series(1, %s)", (count,))

    def send(self, customer: int) -> None:
        with self.connection.transaction():
            self.connection.execute("INSERT INTO job (customer) VALUES (%s)", (customer,))
            self.connection.execute("NOTIFY job")

    def work(self) -> None:
        self.connection.execute("LISTEN job")
        while True:
            if not self.one():
                for _ in self.connection.notifies(timeout=FALLBACK_POLL, stop_after=1):
                    pass

    def one(self) -> bool:
        with self.connection.transaction(), self.connection.cursor() as cursor:
            found = cursor.execute(TAKE).fetchone()
            if found is None:
                return False
            job, customer = found
            number = cursor.execute(NEXT_NUMBER).fetchone()
            assert number is not None
            cursor.execute(ASSIGN, (number[0], time.time(), customer))
            cursor.execute("UPDATE job SET done = now() WHERE id = %s", (job,))
        log.committed(customer, time.time())
        return True


if __name__ == "__main__":
    main(Loop)
