"""Style sheets, scripts and icons: files of the package, and the styles of diagrams."""

from hashlib import sha256
from pathlib import Path

from starlette.datastructures import MutableHeaders, QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afterwork.pictures.drawing import RULES

STATIC = Path(__file__).parent / "static"

FOR_EVER, ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


def version_of_assets() -> str:
    """Return a hash of all of them, which their addresses have: another content has another address."""
    contents = [RULES.encode(), *(path.read_bytes() for path in sorted(STATIC.iterdir()))]
    return sha256(b"".join(contents)).hexdigest()[:12]


def asset_routes() -> list[BaseRoute]:
    version = version_of_assets()
    return [
        Route("/pictures.css", KeptByContent(_diagram_styles, version)),
        Mount("/", KeptByContent(StaticFiles(directory=STATIC), version)),
    ]


class KeptByContent:
    """An application whose answers browsers keep for ever if their address has the current version, as pages write it.

    Under any other address, as that of an earlier or later release, they have to ask each time."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        self._app = app
        self._version = version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_current = QueryParams(scope["query_string"]).get("v") == self._version

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                MutableHeaders(scope=message)["cache-control"] = FOR_EVER if is_current else ASK_AGAIN
            await send(message)

        await self._app(scope, receive, sending)


async def _diagram_styles(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(RULES, media_type="text/css")(scope, receive, send)
