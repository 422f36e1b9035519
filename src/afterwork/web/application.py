"""The ASGI application: its routes, and the middleware before them."""

from functools import partial

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from afterwork.app import Afterwork
from afterwork.control import NAMED_ACTS
from afterwork.errors import BadRequest
from afterwork.pictures.drawing import RULES
from afterwork.web import login, routes
from afterwork.web.access import Access
from afterwork.web.api import api
from afterwork.web.gate import OUTER_SCOPE, Gate, path_of
from afterwork.web.live import Live
from afterwork.web.page import Page, PageAct, Site, page_act
from afterwork.web.pages import caches, lanes, machines, model, overview, tickets, timers
from afterwork.web.probes import probe_routes
from afterwork.web.render import STATIC, environment

COOKIE, COOKIE_SECONDS = "afterwork", 12 * 3600

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *tickets.PAGES,
    *timers.PAGES,
    *caches.PAGES,
    *machines.PAGES,
    *lanes.PAGES,
    *model.PAGES,
)
ACTS: tuple[PageAct, ...] = (*tickets.ACTS, *caches.ACTS, *lanes.ACTS, *map(page_act, NAMED_ACTS))


def application(app: Afterwork, engine: Engine, access: Access) -> Starlette:
    """Return the ASGI application of one database."""
    site = Site(app, engine, access, environment())
    middleware = [Middleware(SessionCookies, key=access.signing_key()), Middleware(Gate, access=access)]
    handlers = {404: partial(_not_found, site)}
    return PageApplication(routes=_routes(site), middleware=middleware, exception_handlers=handlers)


class PageApplication(Starlette):
    """The page's own application. What it adds to a request, the application that mounts it never sees.

    Otherwise its session would be saved as that of the application, whose users would be logged out.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = {**scope, "state": dict(scope.get("state", {})), OUTER_SCOPE: scope}
        await super().__call__(inner, receive, send)


def _routes(site: Site) -> list[BaseRoute]:
    live = Live(site)
    return [
        *(routes.page_route(site, live, page) for page in PAGES),
        *(routes.act_route(site, act) for act in ACTS),
        Route("/login", partial(login.ask, site), methods=["GET"]),
        Route("/login", partial(login.enter, site, login.LoginAttempts()), methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
        *probe_routes(site),
        Route("/static/pictures.css", _diagram_styles),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount("/api", api(site)),
    ]


class SessionCookies:
    """Middleware for signed cookies, which are marked as secure if they were set over TLS."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        def middleware(https_only: bool) -> SessionMiddleware:
            return SessionMiddleware(app, key, COOKIE, COOKIE_SECONDS, same_site="lax", https_only=https_only)

        self._plain, self._secure = middleware(False), middleware(True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._secure if scope.get("scheme") == "https" else self._plain
        await chosen(scope, receive, send)


async def _diagram_styles(request: Request) -> Response:
    """Return the style sheet of the diagrams."""
    return Response(RULES, media_type="text/css", headers={"cache-control": "max-age=3600"})


async def _not_found(site: Site, request: Request, error: Exception) -> Response:
    why = f"There is nothing at {request.url.path}."
    if path_of(request.scope).startswith("/api/"):
        return JSONResponse({"detail": why}, 404)
    return routes.problem_page(site, request, BadRequest(why))
