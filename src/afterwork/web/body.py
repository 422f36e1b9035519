"""Bounds the size of request bodies: a body is read before anything else handles it, or refused."""

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from afterwork.errors import TooLarge

MAX_BODY_BYTES = 1_000_000
"""Bytes. A form with ten thousand ticket keys has fewer."""


async def read_body(scope: Scope, receive: Receive) -> Receive:
    """Read the whole body, and return a `receive` that replays it.

    Raises `TooLarge` as soon as there is too much, whatever the headers say.
    """
    if _announced(scope) > MAX_BODY_BYTES:
        raise TooLarge(MAX_BODY_BYTES)
    messages: list[Message] = []
    size, goes_on = 0, True
    while goes_on:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        goes_on = message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            raise TooLarge(MAX_BODY_BYTES)
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return again


def _announced(scope: Scope) -> int:
    given = Headers(scope=scope).get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() else 0
