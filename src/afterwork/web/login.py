"""The page that asks for a token, for those who come without one."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from afterwork.web import csrf
from afterwork.web.render import render
from afterwork.web.site import Site

TRIES, WITHIN = 5, 60.0
"""Wrong tokens that one client may show within so many seconds."""

REMEMBERED = 10_000
"""Clients that are remembered at most."""


@dataclass(frozen=True)
class LoginAttempts:
    """Wrong tokens, by client. Times are in seconds of a clock that only goes forward."""

    now: Callable[[], float] = time.monotonic
    _seen: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def are_too_many(self, client: str) -> bool:
        recent = [moment for moment in self._seen.get(client, ()) if moment > self.now() - WITHIN]
        return len(recent) >= TRIES

    def note(self, client: str) -> None:
        """A wrong token was shown."""
        self._seen[client] = [*self._seen.pop(client, [])[1 - TRIES :], self.now()]
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def local_path(wanted: str, base: str) -> str:
    """Where to go on: a path of this very application, whatever was asked for."""
    is_own = wanted.startswith(f"{base}/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_own and wanted.isprintable() else f"{base}/"


async def ask(site: Site, request: Request) -> Response:
    """Show the form."""
    return _form(site, request, 200, "")


async def enter(site: Site, tries: LoginAttempts, request: Request) -> Response:
    """Let in who shows a token."""
    client = request.client.host if request.client else ""
    async with request.form(max_files=0) as form:
        shown, wanted, meant = (str(form.get(name, "")) for name in ("token", "to", csrf.FIELD))
    if tries.are_too_many(client):
        return _form(site, request, 429, f"Too many wrong tokens. Try again in {WITHIN:.0f} seconds.")
    if not csrf.is_intended(request, meant):
        return _form(site, request, 403, "This form was too old. Try again.")
    identity = site.access.by_token(shown)
    if identity is None:
        tries.note(client)
        return _form(site, request, 401, "This is not the token.")
    request.session.clear()
    request.session["identity"] = [identity.name, identity.may_act]
    return RedirectResponse(local_path(wanted, request.scope.get("root_path", "")), 303)


async def leave(request: Request) -> Response:
    """Forget who this was."""
    async with request.form(max_files=0) as form:
        if csrf.is_intended(request, str(form.get(csrf.FIELD, ""))):
            request.session.clear()
    return RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)


def _form(site: Site, request: Request, status: int, problem: str) -> HTMLResponse:
    return render(site, request, "login.html", {"problem": problem, "to": request.query_params.get("to", "/")}, status)
