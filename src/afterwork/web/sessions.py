"""Visitors' sessions: cookies, signed by a key that all servers of a database have, and an end of which all know."""

import hashlib
import secrets
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from afterwork.clock import Clock
from afterwork.store import page_sessions
from afterwork.store.database import Database
from afterwork.web.access import Access, Identity
from afterwork.web.paths import path_of

LASTING = timedelta(hours=12)
"""The time after a login for which a session lasts, whatever is done in it."""

IDENTITY, ID, UNTIL = "identity", "id", "until"
"""The keys of a session: whose it is, its id, and until when it lasts (seconds since 1970)."""


class Sessions:
    """The sessions of one page's visitors.

    Their cookies are signed by the page's `secret`, or the key in its database. While there is none of these, as before
    an installation, they are signed by a key of this process.
    """

    def __init__(self, database: Database, clock: Clock, access: Access) -> None:
        self._database = database
        self._clock = clock
        self._access = access
        self._own = secrets.token_hex(32)
        self._shared = access.secret or None

    async def signing_key(self) -> str:
        """Return the key that signs cookies. It changes with the tokens, so that sessions end when a token changes."""
        if self._shared is None:
            self._shared = await run_in_threadpool(self._stored_key)
        return self._access.signing_key(self._shared or self._own)

    def begin(self, session: dict[str, Any], identity: Identity) -> None:
        """Let a session be that of a visitor who has shown a token. Whatever it was before is gone."""
        until = (self._clock.now() + LASTING).timestamp()
        session.clear()
        session.update({IDENTITY: [identity.name, identity.may_act], ID: secrets.token_urlsafe(24), UNTIL: until})

    async def identity(self, session: Mapping[str, Any]) -> Identity | None:
        """Return whose session it is; None if it is nobody's, or has ended. Raises what SQLAlchemy does."""
        match session:
            case {"identity": [str(name), bool(may_act)], "id": str(number), "until": float(until)}:
                if until <= self._clock.now().timestamp() or await run_in_threadpool(self._has_ended, number):
                    return None
                return Identity(name, may_act)
            case _:
                return None

    def end(self, session: dict[str, Any]) -> None:
        """End a session, on all servers: a copy of its cookie opens nothing any more. Raises what SQLAlchemy does."""
        number, until = session.get(ID), session.get(UNTIL)
        session.clear()
        if isinstance(number, str) and isinstance(until, float):
            now = self._clock.now()
            last = datetime.fromtimestamp(until, now.tzinfo)
            with closing(self._database.connect()) as connection, self._database.transaction(connection):
                page_sessions.end(connection, number, last, now)

    def _has_ended(self, number: str) -> bool:
        with self._database.reading() as connection:
            return page_sessions.has_ended(connection, number)

    def _stored_key(self) -> str | None:
        try:
            with self._database.reading() as connection:
                return page_sessions.key(connection)
        except SQLAlchemyError:
            return None


class SessionCookies:
    """Middleware for the cookies of sessions. They are marked as secure if they were set over TLS.

    Each page has a name of its own for them, since a browser sends a host's cookies to all of its ports and paths.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, without: tuple[str, ...]) -> None:
        self._app = app
        self._sessions = sessions
        self._without = without

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope).startswith(self._without):
            await self._app({**scope, "session": {}}, receive, send)
            return
        key = await self._sessions.signing_key()
        age, is_secure = int(LASTING.total_seconds()), scope.get("scheme") == "https"
        name = cookie_name(key, scope.get("root_path", ""))
        middleware = SessionMiddleware(self._app, key, name, age, same_site="lax", https_only=is_secure)
        await middleware(scope, receive, send)


def cookie_name(key: str, base: str) -> str:
    """Return the name of a page's cookie, by the key that signs it and the path of the page."""
    return f"afterwork_{hashlib.sha256(f'{key} {base}'.encode()).hexdigest()[:12]}"
