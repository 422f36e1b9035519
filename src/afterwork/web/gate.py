"""The gate that each request passes first: its size, its sender, and whether they may act."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from afterwork.errors import TooLarge, TooManyWrongTokens, TooSlow
from afterwork.web import csrf
from afterwork.web.access import Access, Authenticate, Identity, Visitor
from afterwork.web.body import MAX_BODY_BYTES, MAX_BYTES_OF_STRANGERS, has_two_ends, read_body
from afterwork.web.paths import path_of
from afterwork.web.sessions import Sessions
from afterwork.web.tokens import TokenCheck

PLAIN_PATHS = ("/static/", "/livez", "/readyz")
"""Paths that need neither an identity nor a session, and so no database."""

PUBLIC_PATHS = (*PLAIN_PATHS, "/login", "/logout")
"""Paths that need no identity. They tell nothing of the data."""

OUTER_SCOPE = "afterwork.outer"
"""The key in a request's scope of the scope that the page was called with, which an application's login reads."""

READ_METHODS = ("GET", "HEAD", "OPTIONS")

Headers = dict[str, str]

CLOSE: Headers = {"connection": "close"}
"""After a body that was not read to its end, nobody can tell where the next request begins."""

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
    "cache-control": "no-store",
}
"""Headers of each response that does not say otherwise. What is shown holds for a moment, and for one visitor."""

LOCAL_ONLY = (
    "This page is for clients of this machine only, under a loopback address. To open it to others, set "
    "AFTERWORK_WEB_TOKEN, or give aw.web(…) a token or authenticate=."
)


Refusal = Callable[[Request, int, str], Response]
"""Makes the page that tells people why a request was refused."""


@dataclass(frozen=True)
class Gate:
    """The middleware that lets requests in, and sets `request.state.identity`."""

    app: ASGIApp
    access: Access
    tokens: TokenCheck
    sessions: Sessions
    refusal_page: Refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send, connection = _with_headers(send), HTTPConnection(scope)
        scope.setdefault("state", {}).update(identity=None, is_still_let_in=lambda: self._is_still_let_in(connection))
        refused = await self._refusal(connection)
        if refused is None and scope["method"] not in READ_METHODS:
            most = MAX_BYTES_OF_STRANGERS if scope["state"]["identity"] is None else MAX_BODY_BYTES
            try:
                receive = await read_body(scope, receive, most)
            except TooLarge as error:
                refused = self._error(connection, 413, str(error), CLOSE)
            except TooSlow as error:
                refused = self._error(connection, 408, str(error), CLOSE)
        await (refused or self.app)(scope, receive, send)

    async def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the response that refuses a request, None if it is let in. Sets its identity."""
        if has_two_ends(connection.scope):
            return self._error(connection, 400, "The length of the body is told in two ways.", CLOSE)
        if not self.access.is_protected and not self._is_local(connection):
            return PlainTextResponse(LOCAL_ONLY, 403)
        if path_of(connection.scope).startswith(PUBLIC_PATHS):
            connection.scope["state"]["identity"] = await self._known_to_probes(connection)
            return None
        try:
            visitor = await self._visitor(connection)
        except TooManyWrongTokens as error:
            return self._error(connection, 429, str(error), {"retry-after": "60"})
        except SQLAlchemyError:
            return self._error(connection, 503, "The database does not answer, so nobody can be let in.")
        return self._let_in(connection, visitor)

    def _let_in(self, connection: HTTPConnection, visitor: Visitor) -> Response | None:
        if not isinstance(visitor, Identity):
            return visitor if isinstance(visitor, Response) else self._ask_who(connection)
        connection.scope["state"]["identity"] = visitor
        return None if _reads(connection) else self._refused_act(connection, visitor)

    def _refused_act(self, connection: HTTPConnection, identity: Identity) -> Response | None:
        if self.access.read_only:
            return self._error(connection, 403, "This page only lets you read.")
        if not identity.may_act:
            return self._error(connection, 403, f"{identity.name} may read, but not act.")
        if _is_of_the_api(connection.scope) and _may_be_forged(connection):
            return self._error(connection, 403, f"A page must send the token of its forms in the header {csrf.HEADER}.")
        return None

    def _is_local(self, connection: HTTPConnection) -> bool:
        client = None if connection.client is None else connection.client.host
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
        return self.access.is_local(connection.headers.get("host", ""), client, forwarded)

    async def _visitor(self, connection: HTTPConnection) -> Visitor:
        if self.access.authenticate is not None:
            return await self._logged_in(self.access.authenticate, connection)
        if not self.access.has_tokens:
            return Identity("local", may_act=True)
        shown = _bearer(connection)
        if shown is not None:
            return await self.tokens.identity(connection, shown, "a header")
        return await self.sessions.identity(connection.session)

    async def _known_to_probes(self, connection: HTTPConnection) -> Identity | None:
        """Return the identity of who may see why a probe says no, without asking a database or an application."""
        shown = _bearer(connection)
        if not self.access.is_protected:
            return Identity("local", may_act=True)
        if shown is None or self.access.authenticate is not None:
            return None
        try:
            return await self.tokens.identity(connection, shown, "a header")
        except TooManyWrongTokens:
            return None

    async def _is_still_let_in(self, connection: HTTPConnection) -> bool:
        """Return whether who was let in would be let in now. While a database does not answer, nothing has changed."""
        if self.access.authenticate is None and _bearer(connection) is not None:
            return True
        try:
            visitor = await self._visitor(connection)
        except SQLAlchemyError:
            return True
        return bool(visitor == connection.scope["state"]["identity"])

    async def _logged_in(self, authenticate: Authenticate, connection: HTTPConnection) -> Visitor:
        """Return what an application's login says. Its response is for people; programs are told that it is needed."""
        try:
            visitor = authenticate(Request(connection.scope.get(OUTER_SCOPE, connection.scope)))
            visitor = await visitor if inspect.isawaitable(visitor) else visitor
        except HTTPException as refusal:
            return self._error(connection, refusal.status_code, refusal.detail, dict(refusal.headers or {}))
        is_for_visitor = isinstance(visitor, Identity) or (_is_person(connection) and _reads(connection))
        return visitor if is_for_visitor else None

    def _ask_who(self, connection: HTTPConnection) -> Response:
        if not _reads(connection) and _is_person(connection):
            return self._error(connection, 401, "Nothing was done, since you are not logged in any more.")
        if self.access.authenticate is not None:
            return self._error(connection, 401, "Log in to the application first.")
        if _is_person(connection):
            base = connection.scope.get("root_path", "")
            query = connection.scope["query_string"].decode("latin-1")
            path = connection.url.path + (f"?{query}" if query else "")
            return RedirectResponse(f"{base}/login?to={quote(path)}", 303)
        return self._error(
            connection, 401, "Show a token: Authorization: Bearer TOKEN.", {"www-authenticate": "Bearer"}
        )

    def _error(self, connection: HTTPConnection, status: int, why: str, headers: Headers | None = None) -> Response:
        """Return a refusal in the form that suits who has asked."""
        if _is_of_the_api(connection.scope):
            return JSONResponse({"detail": why}, status, headers)
        if _is_person(connection) and not _reads(connection):
            page = self.refusal_page(Request(connection.scope), status, why)
            page.headers.update(headers or {})
            return page
        return PlainTextResponse(why, status, headers)


def _bearer(connection: HTTPConnection) -> str | None:
    """Return the token that a program shows, None if it shows none."""
    scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else None


def _reads(connection: HTTPConnection) -> bool:
    return connection.scope["method"] in READ_METHODS


def _is_person(connection: HTTPConnection) -> bool:
    return "text/html" in connection.headers.get("accept", "")


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
