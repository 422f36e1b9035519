"""The gate that each request passes first: its size, its sender, and whether they may act."""

import inspect
from dataclasses import dataclass
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afterwork.errors import TooLarge
from afterwork.web import csrf
from afterwork.web.access import Access, Authenticate, Identity, Visitor

PUBLIC_PATHS = ("/login", "/static/", "/livez", "/readyz")
"""Paths that need no identity. They tell nothing of the data."""

OUTER_SCOPE = "afterwork.outer"
"""The key in a request's scope of the scope that the page was called with, which an application's login reads."""

READ_METHODS = ("GET", "HEAD", "OPTIONS")

BROWSER_HEADERS = ("origin", "sec-fetch-site", "referer", "cookie")
"""Headers that show a browser: it sends at least one with a page's request, programs none by default."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

LOCAL_ONLY = (
    "This page is for clients of this machine only, under a loopback address. To open it to others, set "
    "AFTERWORK_WEB_TOKEN, or give aw.web(…) a token or authenticate=."
)


def path_of(scope: Scope) -> str:
    """Return the path within this application, wherever that is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


@dataclass(frozen=True)
class Gate:
    """The middleware that lets requests in, and sets `request.state.identity`."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _with_headers(send)
        refused = await self._refusal(HTTPConnection(scope))
        if refused is None and scope["method"] not in READ_METHODS:
            try:
                receive = await read_body(scope, receive)
            except TooLarge as error:
                refused = _error(HTTPConnection(scope), 413, str(error))
        await (refused or self.app)(scope, receive, send)

    async def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the response that refuses a request, None if it is let in. Sets its identity."""
        scope, access = connection.scope, self.access
        is_act = scope["method"] not in READ_METHODS
        client = None if connection.client is None else connection.client.host
        if not access.is_protected and not access.is_local(connection.headers.get("host", ""), client):
            return PlainTextResponse(LOCAL_ONLY, 403)
        visitor = await self._visitor(connection)
        identity = visitor if isinstance(visitor, Identity) else None
        scope.setdefault("state", {})["identity"] = identity
        if path_of(scope).startswith(PUBLIC_PATHS):
            return None
        if identity is None:
            return visitor if isinstance(visitor, Response) else _ask_who(connection, access)
        if is_act and (access.read_only or not identity.may_act):
            why = "This page only lets you read." if access.read_only else f"{identity.name} may read, but not act."
            return _error(connection, 403, why)
        if is_act and _is_of_the_api(scope) and _may_be_forged(connection):
            return _error(connection, 403, f"A page must send the token of its forms in the header {csrf.HEADER}.")
        return None

    async def _visitor(self, connection: HTTPConnection) -> Visitor:
        if self.access.authenticate is not None:
            return await _logged_in(self.access.authenticate, connection)
        if not self.access.has_tokens:
            return Identity("local", may_act=True)
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.access.by_token(shown.strip())
        match connection.session.get("identity"):
            case [str(name), bool(may_act)]:
                return Identity(name, may_act)
            case _:
                return None


async def _logged_in(authenticate: Authenticate, connection: HTTPConnection) -> Visitor:
    """Return what an application's login says. A response of it is for people; programs are told that it is needed."""
    try:
        visitor = authenticate(Request(connection.scope.get(OUTER_SCOPE, connection.scope)))
        visitor = await visitor if inspect.isawaitable(visitor) else visitor
    except HTTPException as refusal:
        return _error(connection, refusal.status_code, refusal.detail, dict(refusal.headers or {}))
    return visitor if isinstance(visitor, Identity) or _is_of_people(connection) else None


def _is_of_people(connection: HTTPConnection) -> bool:
    return "text/html" in connection.headers.get("accept", "") and connection.scope["method"] == "GET"


def _ask_who(connection: HTTPConnection, access: Access) -> Response:
    if access.authenticate is not None:
        return _error(connection, 401, "Log in to the application first.")
    if _is_of_people(connection):
        base = connection.scope.get("root_path", "")
        query = connection.scope["query_string"].decode("latin-1")
        path = connection.url.path + (f"?{query}" if query else "")
        return RedirectResponse(f"{base}/login?to={quote(path)}", 303)
    return _error(connection, 401, "Show a token: Authorization: Bearer TOKEN.", {"www-authenticate": "Bearer"})


def _error(connection: HTTPConnection, status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    if _is_of_the_api(connection.scope):
        return JSONResponse({"detail": why}, status, headers)
    return PlainTextResponse(why, status, headers)


def _is_of_the_api(scope: Scope) -> bool:
    return path_of(scope).startswith("/api/")


def _may_be_forged(connection: HTTPConnection) -> bool:
    """Return whether another page may have made a browser send this. Forms are checked where they are read."""
    is_browser = any(name in connection.headers for name in BROWSER_HEADERS)
    return is_browser and not csrf.is_intended(connection, connection.headers.get(csrf.HEADER, ""))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def identity_of(request: Request) -> Identity:
    """Return the identity of a request that was let in."""
    identity: Identity = request.state.identity
    return identity


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
