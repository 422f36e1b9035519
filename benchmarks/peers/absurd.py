"""Absurd: one worker that runs one task at a time."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import Absurd  # type: ignore[import-not-found]

from benchmarks.drivers.driver import assign, main

QUEUE = "numbers"


class Peer:
    def __init__(self, database: str) -> None:
        self.database = database
        self.connection = psycopg.connect(database, autocommit=True)

    def setup(self) -> None:
        environment = {**os.environ, "ABSURD_DATABASE_URL": self.database}
        tool = str(Path(sys.executable).parent / "absurdctl")
        for command in (["init"], ["create-queue", QUEUE]):
            subprocess.run([tool, *command], env=environment, check=True, stdout=subprocess.DEVNULL)

    def enqueue(self, count: int) -> None:
        absurd = Absurd(self.connection, queue_name=QUEUE)
        with self.connection.transaction():
            for customer in range(1, count + 1):
                absurd.spawn("number", customer, queue=QUEUE)

    def send(self, customer: int) -> None:
        with self.connection.transaction():
            Absurd(self.connection, queue_name=QUEUE).spawn("number", customer, queue=QUEUE)

    def work(self) -> None:
        absurd = Absurd(self.database, queue_name=QUEUE)

        def number(customer: int, context: Any) -> None:
            assign(self.connection, customer)

        absurd.register_task(name="number")(number)
        absurd.start_worker(concurrency=1)


if __name__ == "__main__":
    main(Peer)
