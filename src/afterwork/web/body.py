"""The bodies of requests: how large they may be, how long they may take, and whether it is clear where they end."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from afterwork.errors import TooLarge, TooSlow

MAX_BODY_BYTES = 1_000_000
"""Bytes. A form with ten thousand ticket keys has fewer."""

MAX_BYTES_OF_STRANGERS = 16 * 1024
"""Bytes. A login has far fewer."""

BODY_SECONDS = 10.0


def has_two_ends(scope: Scope) -> bool:
    """Return whether a body's length is told in two ways. A proxy may go by the other one, and take what is left of the
    body for a request of the next client."""
    headers = Headers(scope=scope)
    lengths = headers.getlist("content-length")
    return len(lengths) + len(headers.getlist("transfer-encoding")) > 1


async def read_body(scope: Scope, receive: Receive, most: int) -> Receive:
    """Read the whole body, and return a `receive` that replays it.

    Raises `TooLarge` as soon as there is too much, whatever the headers say, and `TooSlow` if it takes too long.
    """
    if _announced(scope) > most:
        raise TooLarge(most)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            messages = await _messages(receive, most)
    except TimeoutError:
        raise TooSlow(BODY_SECONDS) from None
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return again


async def _messages(receive: Receive, most: int) -> list[Message]:
    messages: list[Message] = []
    size, goes_on = 0, True
    while goes_on:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        goes_on = message.get("more_body", False)
        if size > most:
            raise TooLarge(most)
    return messages


def _announced(scope: Scope) -> int:
    given = Headers(scope=scope).get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() else 0
