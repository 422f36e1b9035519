"""A real mail server, in a thread of its own, that is not always at its best."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from itertools import chain, repeat
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

Mood = Literal["well", "defers", "refuses", "hangs up", "takes it and hangs up", "knows nobody"]
"""How it takes a message: well; "come later" (451); never (554); not at all; and doesn't say so; no such address."""


class Mailbox:
    """What a mail server has got, and how it takes what comes: by its moods one after the other, then well."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.came = 0
        self.be()

    def be(self, *moods: Mood, then: Mood = "well") -> None:
        """How the next ones are taken, and all after those."""
        self._moods: Iterator[Mood] = chain(moods, repeat(then))
        self._mood: Mood = "well"

    @property
    def ids(self) -> list[str]:
        """The Message-ID of each message that it has got."""
        return [message["Message-ID"] for message in self.messages]

    # What aiosmtpd calls.

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.came += 1
        self._mood = next(self._moods)
        if self._mood == "knows nobody":
            return f"550 {address} does not live here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        match self._mood:
            case "defers":
                return "451 Come later"
            case "refuses":
                return "554 This is spam"
            case "hangs up":
                return _hang_up(server)
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content))
        return _hang_up(server) if self._mood == "takes it and hangs up" else "250 Taken"


def _hang_up(server: Any) -> str:
    server.transport.abort()
    return "421 Nobody hears this"


@contextmanager
def open_mailbox(mailbox: Mailbox) -> Iterator[str]:
    """Take mail while the block lasts, on a free port of this machine. Yields `host:port`."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="mailbox", daemon=True)
    thread.start()
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    """Let those go who are still connected."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
