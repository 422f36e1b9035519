"""Protection against forged requests: each form carries a token that only this page could have put there."""

import hmac
import secrets

from starlette.requests import HTTPConnection

FIELD = "csrf"
HEADER = "x-csrf-token"


def token_of(connection: HTTPConnection) -> str:
    """Return the token of a visitor's session, and create it on first use."""
    session = connection.session
    if FIELD not in session:
        session[FIELD] = secrets.token_urlsafe(24)
    return str(session[FIELD])


def is_intended(connection: HTTPConnection, shown: str) -> bool:
    """Return whether an act comes from this page, or from a program that sends its access token with each request.

    A browser adds no `Authorization: Bearer` by itself, so such a request was not forged by another page.
    """
    if connection.headers.get("authorization", "").lower().startswith("bearer "):
        return True
    known = str(connection.session.get(FIELD, ""))
    return bool(known) and hmac.compare_digest(known.encode(), shown.encode())
