"""Live pages by server-sent events: a page is rendered again at intervals, and sent if it has changed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from afterwork.errors import AfterworkError
from afterwork.web import csrf
from afterwork.web.clients import client_of
from afterwork.web.page import PageContent, Site
from afterwork.web.render import FRAGMENT, MENU_ALONE, page_text
from afterwork.web.streams import StreamPlace, Streams

EVERY = 2.0
"""Seconds between renderings, unless the visitor asks for others: `?every=5`."""

QUICKEST, SLOWEST = 1.0, 60.0

STOPPING = "afterwork.stopping"
"""The key in a request's scope of the `asyncio.Event` that is set when our server stops."""

Show = Callable[[], PageContent]
Say = Callable[[str], Awaitable[None]]

ENDED = "event: ended\ndata: You are not logged in any more.\n\n"
"""The last event of a stream whose visitor may not see the page any more."""


@dataclass(frozen=True)
class Live:
    """The streams of one application."""

    site: Site
    _streams: Streams = field(default_factory=Streams)

    def stream(self, request: Request, show: Show) -> Response:
        """Stream the main part of a page and its menu, each now and whenever it has changed."""
        place = self._streams.enter(client_of(request))
        if place is None:
            return PlainTextResponse("Too many pages are open at once.", 503, {"retry-after": "30"})
        csrf.token_of(request)  # a page whose cookie is not valid any more gets another one, and forms that suit it
        return EventStream(partial(self._follow, request, show, place))

    async def _follow(self, request: Request, show: Show, place: StreamPlace, receive: Receive, say: Say) -> None:
        """Say what changes until nobody is there, or may be there, to hear it.

        That is when the client leaves, may not see the page any more, or loses its place, or the server stops.
        """
        stopping = request.scope.get(STOPPING) or asyncio.Event()
        ends = [asyncio.ensure_future(end) for end in (_gone(receive), place.is_taken.wait(), stopping.wait())]
        every, said = _seconds(request.query_params.get("every", "")), list[str]()
        try:
            while True:
                events = await run_in_threadpool(self._events, request, show)
                await say("".join(event for event in events if event not in said) or ": nothing new\n\n")
                said = events
                done, _ = await asyncio.wait(ends, timeout=every, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return
                if not await request.state.is_still_let_in():
                    await say(ENDED)
                    return
        finally:
            self._streams.leave(place)
            for end in ends:
                end.cancel()

    def _events(self, request: Request, show: Show) -> list[str]:
        try:
            shown = show()
        except (AfterworkError, SQLAlchemyError):
            return ["event: trouble\ndata: The page can't be updated. Reload it to see why.\n\n"]
        main = page_text(self.site, request, shown.template, shown.context, layout=FRAGMENT)
        return [_event("main", main), _event("menu", page_text(self.site, request, MENU_ALONE, {}))]


class EventStream(Response):
    """A response that consists of what its `follow` says, one event after the other."""

    media_type = "text/event-stream"

    def __init__(self, follow: Callable[[Receive, Say], Awaitable[None]]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._follow = follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def say(event: str) -> None:
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with suppress(asyncio.CancelledError):  # so a server ends what goes on when it stops, which is no error
            await self._follow(receive, say)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _event(name: str, text: str) -> str:
    return f"event: {name}\n" + "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"


async def _gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _seconds(text: str) -> float:
    return min(max(float(text), QUICKEST), SLOWEST) if text.isdigit() else EVERY
