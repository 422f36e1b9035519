"""The login page, which asks for a token."""

from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from afterwork.errors import TooManyWrongTokens
from afterwork.web import csrf
from afterwork.web.page import Site
from afterwork.web.paths import local_path
from afterwork.web.render import render
from afterwork.web.sessions import Sessions
from afterwork.web.tokens import TokenCheck

STAYS_VALID = (
    "The cookie of this browser is gone. But the database did not answer, so a copy of the cookie opens the page until "
    "it expires. Log in and out again, or change the token."
)


async def ask(site: Site, request: Request) -> Response:
    return _form(site, request, 200, "")


async def enter(site: Site, tokens: TokenCheck, sessions: Sessions, request: Request) -> Response:
    """Let a visitor in who shows a token."""
    async with request.form(max_files=0) as form:
        shown, wanted, meant = (str(form.get(name, "")) for name in ("token", "to", csrf.FIELD))
    if not csrf.is_intended(request, meant):
        return _form(site, request, 403, "This form has expired. Try again.", wanted)
    try:
        identity = await tokens.identity(request, shown, "the login form")
    except TooManyWrongTokens as error:
        return _form(site, request, 429, str(error), wanted)
    if identity is None:
        return _form(site, request, 401, "The token is wrong.", wanted)
    sessions.begin(request.session, identity)
    return RedirectResponse(local_path(wanted, request.scope.get("root_path", "")), 303)


async def leave(site: Site, sessions: Sessions, request: Request) -> Response:
    """Let a visitor out, whoever it is, and wherever a copy of the cookie may be."""
    async with request.form(max_files=0) as form:
        is_intended = csrf.is_intended(request, str(form.get(csrf.FIELD, "")))
    if not is_intended:
        return _form(site, request, 403, "You were not logged out, since the form has expired. Go back, and try again.")
    try:
        await run_in_threadpool(partial(sessions.end, request.session))
    except SQLAlchemyError:
        return _form(site, request, 503, STAYS_VALID)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)


def _form(site: Site, request: Request, status: int, problem: str, wanted: str = "") -> HTMLResponse:
    to = wanted or request.query_params.get("to", "/")
    return render(site, request, "login.html", {"problem": problem, "to": to}, status)
