"""PgQueuer: one worker that dequeues without limit; a lock of the process gives each job exclusive access.

Its own `concurrency_limit=1` would do the same over all workers, but drains 10 jobs per second.
"""

import asyncio
import time
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import uvloop  # type: ignore[import-not-found]
from pgqueuer import PgQueuer  # type: ignore[import-not-found]
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found]
from pgqueuer.queries import Queries  # type: ignore[import-not-found]

from benchmarks.drivers.driver import NEXT_NUMBER, log, main

ASSIGN = "UPDATE customer SET number = $1, at = $2 WHERE id = $3"
ENTRY = "number"


class Peer:
    def __init__(self, database: str) -> None:
        self.database = database
        self.loop = uvloop.new_event_loop()
        self.queries: Any = None

    def run(self, task: Any) -> Any:
        return self.loop.run_until_complete(task)

    async def connect(self) -> Any:
        if self.queries is None:
            self.queries = Queries(AsyncpgDriver(await asyncpg.connect(self.database)))
        return self.queries

    def setup(self) -> None:
        self.run(self.install())

    async def install(self) -> None:
        await (await self.connect()).install()

    def enqueue(self, count: int) -> None:
        self.run(self.ask(list(range(1, count + 1))))

    def send(self, customer: int) -> None:
        self.run(self.ask([customer]))

    async def ask(self, customers: list[int]) -> None:
        queries = await self.connect()
        await queries.enqueue([ENTRY] * len(customers), [str(n).encode() for n in customers], [0] * len(customers))

    def work(self) -> None:
        self.run(self.serve())

    async def serve(self) -> None:
        pool = await asyncpg.create_pool(self.database, min_size=1, max_size=1)
        queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(self.database)))
        exclusive = asyncio.Lock()

        async def number(job: Any) -> None:
            async with exclusive:
                await assign(pool, int(job.payload))

        queue.entrypoint(ENTRY)(number)
        await queue.run()


async def assign(pool: Any, customer: int) -> None:
    async with pool.acquire() as connection:
        async with connection.transaction():
            number = await connection.fetchval(NEXT_NUMBER)
            await connection.execute(ASSIGN, number, time.time(), customer)
        log.committed(customer, time.time())


if __name__ == "__main__":
    main(Peer)
