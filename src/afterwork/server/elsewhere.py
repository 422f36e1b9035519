"""Context managers whose beginning and end would keep an event loop waiting: a thread of their own does both."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, asynccontextmanager


@asynccontextmanager
async def elsewhere(manager: AbstractContextManager[object]) -> AsyncIterator[None]:
    """Enter and leave a context manager in a thread, while the loop goes on. Raises what these raise."""
    entered: Future[None] = Future()
    left: Future[None] = Future()
    leave = threading.Event()

    def live() -> None:
        try:
            with manager:
                entered.set_result(None)
                leave.wait()
        except BaseException as error:
            (left if entered.done() else entered).set_exception(error)
        if not left.done():
            left.set_result(None)

    # A thread of its own: those of the loop may all be waiting for what it shall do for them.
    threading.Thread(target=live, name="afterwork-elsewhere", daemon=True).start()
    try:
        await asyncio.shield(asyncio.wrap_future(entered))
        yield
    finally:
        leave.set()
        await asyncio.shield(asyncio.wrap_future(left))
