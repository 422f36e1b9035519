"""DBOS: a queue with one workflow at a time. It polls every millisecond, not every second, which is kind to it."""

import time
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, SQLAlchemyDatasource  # type: ignore[import-not-found]

from benchmarks.drivers.driver import log, main

QUEUE = "numbers"
POLL = 0.001
NEXT_NUMBER = sa.text("UPDATE number_series SET last = last + 1 WHERE name = 'customer' RETURNING last")
ASSIGN = sa.text("UPDATE customer SET number = :number, at = :at WHERE id = :id")
OPTIONS = {"workflow_name": "number", "queue_name": QUEUE}


class Peer:
    def __init__(self, database: str) -> None:
        self.database = database
        self.url = database.replace("postgresql://", "postgresql+psycopg://", 1)
        self.client: Any = None
        self.engine = sa.create_engine(self.url)

    def setup(self) -> None:
        self.dbos()
        DBOS.launch()
        DBOS.destroy()
        SQLAlchemyDatasource.migrate(self.url)

    def enqueue(self, count: int) -> None:
        self.ask(range(1, count + 1))

    def send(self, customer: int) -> None:
        self.ask([customer])

    def ask(self, customers: Any) -> None:
        if self.client is None:
            self.client = DBOSClient(system_database_url=self.database, application_name="bench")
        with self.engine.begin() as connection:
            for customer in customers:
                self.client.enqueue_in_transaction(connection, OPTIONS, customer)

    def work(self) -> None:
        self.dbos()
        source = SQLAlchemyDatasource.create(self.url, run_migrations=False)

        def step(customer: int) -> None:
            session = source.sql_session() if callable(source.sql_session) else source.sql_session
            number = session.execute(NEXT_NUMBER).scalar()
            session.execute(ASSIGN, {"number": number, "at": time.time(), "id": customer})

        assign = source.transaction(isolation_level="READ COMMITTED")(step)

        def number(customer: int) -> None:
            assign(customer)
            log.committed(customer, time.time())

        DBOS.workflow(name="number")(number)
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=POLL, on_conflict="always_update")
        while True:
            time.sleep(60)

    def dbos(self) -> None:
        DBOS(
            config={
                "name": "bench",
                "system_database_url": self.database,
                "log_level": "ERROR",
                "executor_id": "local",
                "application_version": "1",
                "run_admin_server": False,
            }
        )


if __name__ == "__main__":
    main(Peer)
