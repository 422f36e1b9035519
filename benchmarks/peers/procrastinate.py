"""Procrastinate: one worker whose jobs all have the same lock, which is its way to exclusive access."""

import asyncio

import procrastinate  # type: ignore[import-not-found]
import psycopg
from psycopg_pool import AsyncConnectionPool  # type: ignore[import-not-found]

from benchmarks.drivers.driver import assign_async, main

LOCK = "customer numbers"


class Procrastinate:
    def __init__(self, database: str) -> None:
        self.database = database
        self.connection = psycopg.connect(database, autocommit=True)
        self.app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=database, min_size=1, max_size=4)
        )
        self.task = self.app.task(name="number")(self.number)
        self.pool = AsyncConnectionPool(database, min_size=1, max_size=1, open=False, kwargs={"autocommit": True})

    async def number(self, customer: int) -> None:
        await assign_async(self.pool, customer)

    def setup(self) -> None:
        with self.app.open():
            self.app.schema_manager.apply_schema()

    def enqueue(self, count: int) -> None:
        with self.app.open():
            self.task.configure(lock=LOCK).batch_defer(*({"customer": n} for n in range(1, count + 1)))

    def send(self, customer: int) -> None:
        with self.connection.transaction():
            self.task.configure(lock=LOCK, connection=self.connection).defer(customer=customer)

    def work(self) -> None:
        asyncio.run(self.serve())

    async def serve(self) -> None:
        async with self.pool, self.app.open_async():
            await self.app.run_worker_async(concurrency=1)


if __name__ == "__main__":
    main(Procrastinate)
