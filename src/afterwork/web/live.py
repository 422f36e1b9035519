"""Live pages by server-sent events: a page is rendered again at intervals, and sent if it has changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from afterwork.errors import AfterworkError
from afterwork.web.page import PageContent, Site
from afterwork.web.render import FRAGMENT, page_text

EVERY = 2.0
"""Seconds between renderings, unless the visitor asks for others: `?every=5`."""

QUICKEST, SLOWEST = 1.0, 60.0

STOPPING = "afterwork.stopping"
"""The key in a request's scope of the `asyncio.Event` that is set when our server stops."""

MOST = 50
"""The most streams that are open at once."""


@dataclass(frozen=True)
class Live:
    """The streams of one application."""

    site: Site
    _open: set[object] = field(default_factory=set)

    def stream(self, request: Request, show: Callable[[], PageContent]) -> Response:
        """Stream the main part of a page, now and whenever it has changed."""
        if len(self._open) >= MOST:
            return PlainTextResponse("Too many pages are open at once.", 503, {"retry-after": "30"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(request, show), media_type="text/event-stream", headers=headers)

    async def _events(self, request: Request, show: Callable[[], PageContent]) -> AsyncIterator[str]:
        every = _seconds(request.query_params.get("every", ""))
        stopping = request.scope.get(STOPPING) or asyncio.Event()
        mark, sent = object(), ""
        self._open.add(mark)
        try:
            while not (stopping.is_set() or await request.is_disconnected()):
                event = await run_in_threadpool(self._event, request, show)
                yield event if event != sent else ": nothing new\n\n"
                sent = event
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), every)
        finally:
            self._open.discard(mark)

    def _event(self, request: Request, show: Callable[[], PageContent]) -> str:
        try:
            shown = show()
        except (AfterworkError, SQLAlchemyError):
            return "event: trouble\ndata: The page can't be updated. Reload it to see why.\n\n"
        text = page_text(self.site, request, shown.template, shown.context, layout=FRAGMENT)
        lines = text.splitlines()
        return "event: main\n" + "".join(f"data: {line}\n" for line in lines) + "\n"


def _seconds(text: str) -> float:
    return min(max(float(text), QUICKEST), SLOWEST) if text.isdigit() else EVERY
