"""That an act was meant: each form carries a token that only this page could have put into it."""

import hmac
import secrets

from starlette.requests import HTTPConnection

FIELD = "csrf"
HEADER = "x-csrf-token"


def token_of(connection: HTTPConnection) -> str:
    """The token of a visitor's session, made when it is first asked for."""
    session = connection.session
    if FIELD not in session:
        session[FIELD] = secrets.token_urlsafe(24)
    return str(session[FIELD])


def is_intended(connection: HTTPConnection, shown: str) -> bool:
    """Whether an act comes from this page, or from a program that shows its token of access with each request.

    A browser adds no `Authorization: Bearer` by itself, so such a request was not forged by another page.
    """
    if connection.headers.get("authorization", "").lower().startswith("bearer "):
        return True
    known = str(connection.session.get(FIELD, ""))
    return bool(known) and hmac.compare_digest(known.encode(), shown.encode())
