"""The login page, which asks for a token."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from afterwork.web import csrf
from afterwork.web.page import Site
from afterwork.web.render import render

TRIES, WITHIN = 5, 60.0
"""The most wrong tokens of one client within that many seconds."""

REMEMBERED = 10_000
"""The most clients that are remembered."""


@dataclass(frozen=True)
class LoginAttempts:
    """Wrong tokens by client. Times are in seconds of a monotonic clock."""

    now: Callable[[], float] = time.monotonic
    _seen: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def are_too_many(self, client: str) -> bool:
        recent = [moment for moment in self._seen.get(client, ()) if moment > self.now() - WITHIN]
        return len(recent) >= TRIES

    def note(self, client: str) -> None:
        self._seen[client] = [*self._seen.pop(client, [])[1 - TRIES :], self.now()]
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def local_path(wanted: str, base: str) -> str:
    """Return a path of this application to redirect to, whatever was requested."""
    is_own = wanted.startswith(f"{base}/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_own and wanted.isprintable() else f"{base}/"


async def ask(site: Site, request: Request) -> Response:
    return _form(site, request, 200, "")


async def enter(site: Site, tries: LoginAttempts, request: Request) -> Response:
    """Let a visitor in who shows a token."""
    client = request.client.host if request.client else ""
    async with request.form(max_files=0) as form:
        shown, wanted, meant = (str(form.get(name, "")) for name in ("token", "to", csrf.FIELD))
    if tries.are_too_many(client):
        return _form(site, request, 429, f"Too many wrong tokens. Try again in {WITHIN:.0f} seconds.")
    if not csrf.is_intended(request, meant):
        return _form(site, request, 403, "This form has expired. Try again.")
    identity = site.access.by_token(shown)
    if identity is None:
        tries.note(client)
        return _form(site, request, 401, "The token is wrong.")
    request.session.clear()
    request.session["identity"] = [identity.name, identity.may_act]
    return RedirectResponse(local_path(wanted, request.scope.get("root_path", "")), 303)


async def leave(request: Request) -> Response:
    async with request.form(max_files=0) as form:
        if csrf.is_intended(request, str(form.get(csrf.FIELD, ""))):
            request.session.clear()
    return RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)


def _form(site: Site, request: Request, status: int, problem: str) -> HTMLResponse:
    return render(site, request, "login.html", {"problem": problem, "to": request.query_params.get("to", "/")}, status)
