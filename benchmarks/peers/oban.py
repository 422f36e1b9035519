"""Oban: a queue with a limit of one."""

import asyncio
from typing import Any

import psycopg
import uvloop  # type: ignore[import-not-found]
from oban import Oban, worker  # type: ignore[import-not-found]
from oban.schema import install  # type: ignore[import-not-found]
from psycopg_pool import AsyncConnectionPool  # type: ignore[import-not-found]

from benchmarks.drivers.driver import assign_async, main

QUEUE = "numbers"


class Number:
    pool: Any = None

    async def process(self, job: Any) -> None:
        await assign_async(self.pool, job.args["customer"])


Work = worker(queue=QUEUE)(Number)


class Peer:
    def __init__(self, database: str) -> None:
        self.database = database
        self.loop = uvloop.new_event_loop()
        self.oban: Any = None
        self.connection: Any = None

    def setup(self) -> None:
        self.loop.run_until_complete(self.install())

    async def install(self) -> None:
        async with self.pool() as pool:
            await install(pool)

    def enqueue(self, count: int) -> None:
        self.loop.run_until_complete(self.ask_many(count))

    async def ask_many(self, count: int) -> None:
        async with self.pool() as pool:
            await Oban(pool=pool).enqueue_many([Work.new({"customer": n}) for n in range(1, count + 1)])

    def send(self, customer: int) -> None:
        self.loop.run_until_complete(self.ask(customer))

    async def ask(self, customer: int) -> None:
        if self.oban is None:
            self.connection = await psycopg.AsyncConnection.connect(self.database, autocommit=True)
            pool = self.pool()
            await pool.open(wait=True)
            self.oban = Oban(pool=pool)
        await self.oban.enqueue(Work.new({"customer": customer}), conn=self.connection)

    def work(self) -> None:
        self.loop.run_until_complete(self.serve())

    async def serve(self) -> None:
        Number.pool = self.pool(autocommit=True)
        await Number.pool.open(wait=True)
        async with Oban(pool=await Oban.create_pool(self.database), queues={QUEUE: 1}):
            await asyncio.Event().wait()

    def pool(self, **options: Any) -> Any:
        return AsyncConnectionPool(self.database, min_size=1, max_size=2, open=False, kwargs=options)


if __name__ == "__main__":
    main(Peer)
