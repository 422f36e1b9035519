"""The ASGI application: its routes, and the middleware before them."""

from functools import partial

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from afterwork.app import Afterwork
from afterwork.control import NAMED_ACTS
from afterwork.errors import BadRequest
from afterwork.web import login, routes
from afterwork.web.access import Access
from afterwork.web.api import api
from afterwork.web.assets import asset_routes
from afterwork.web.gate import OUTER_SCOPE, PLAIN_PATHS, Gate
from afterwork.web.live import Live
from afterwork.web.page import Page, PageAct, Site, page_act
from afterwork.web.pages import (
    caches,
    check,
    failures,
    graph,
    lanes,
    machines,
    model,
    overview,
    tickets,
    timers,
    works,
)
from afterwork.web.paths import path_of
from afterwork.web.probes import probe_routes
from afterwork.web.render import environment
from afterwork.web.sessions import SessionCookies, Sessions
from afterwork.web.tokens import TokenCheck

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *failures.PAGES,
    *check.PAGES,
    *tickets.PAGES,
    *works.PAGES,
    *timers.PAGES,
    *caches.PAGES,
    *graph.PAGES,
    *machines.PAGES,
    *lanes.PAGES,
    *model.PAGES,
)
ACTS: tuple[PageAct, ...] = (*tickets.ACTS, *failures.ACTS, *caches.ACTS, *lanes.ACTS, *map(page_act, NAMED_ACTS))


def application(app: Afterwork, engine: Engine, access: Access) -> Starlette:
    """Return the ASGI application of one database."""
    site = Site(app, engine, access, environment())
    tokens, sessions = TokenCheck(access, app.events), Sessions(app.database(engine), app.clock, access)
    refusal_page = partial(routes.refusal_page, site)
    gate = Middleware(Gate, access=access, tokens=tokens, sessions=sessions, refusal_page=refusal_page)
    middleware = [Middleware(SessionCookies, sessions=sessions, without=PLAIN_PATHS), gate]
    handlers = {404: partial(_not_found, site)}
    return PageApplication(routes=_routes(site, tokens, sessions), middleware=middleware, exception_handlers=handlers)


class PageApplication(Starlette):
    """The page's own application. What it adds to a request, the application that mounts it never sees.

    Otherwise its session would be saved as that of the application, whose users would be logged out.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = {**scope, "state": dict(scope.get("state", {})), OUTER_SCOPE: scope}
        await super().__call__(inner, receive, send)


def _routes(site: Site, tokens: TokenCheck, sessions: Sessions) -> list[BaseRoute]:
    live = Live(site)
    return [
        *(routes.page_route(site, live, page) for page in PAGES),
        *(routes.act_route(site, act) for act in ACTS),
        Route("/login", partial(login.ask, site), methods=["GET"]),
        Route("/login", partial(login.enter, site, tokens, sessions), methods=["POST"]),
        Route("/logout", partial(login.leave, site, sessions), methods=["POST"]),
        *probe_routes(site),
        Mount("/static", routes=asset_routes()),
        Mount("/api", api(site)),
    ]


async def _not_found(site: Site, request: Request, error: Exception) -> Response:
    why, path = f"There is nothing at {request.url.path}.", path_of(request.scope)
    if path.startswith("/api/"):
        return JSONResponse({"detail": why}, 404)
    if path.startswith(PLAIN_PATHS):
        return PlainTextResponse(why, 404)
    return routes.problem_page(site, request, BadRequest(why))
