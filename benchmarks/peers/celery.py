"""Celery with Redis: one worker that runs one task at a time. A job can't be sent in the customer's transaction."""

import os

import psycopg
from celery import Celery

from benchmarks.drivers.driver import assign, main


class Peer:
    def __init__(self, database: str) -> None:
        self.connection = psycopg.connect(database, autocommit=True)
        self.app = Celery("bench", broker=os.environ["REDIS_URL"], set_as_current=True)
        self.app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

        def number(customer: int) -> None:
            assign(self.connection, customer)

        self.task = self.app.task(name="number")(number)

    def setup(self) -> None:
        self.app.control.purge()

    def enqueue(self, count: int) -> None:
        for customer in range(1, count + 1):
            self.send(customer)

    def send(self, customer: int) -> None:
        self.task.delay(customer)

    def work(self) -> None:
        self.app.worker_main(["worker", "--pool", "solo", "--loglevel", "WARNING"])


if __name__ == "__main__":
    main(Peer)
