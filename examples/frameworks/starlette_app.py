"""Starlette: the page behind an AuthenticationMiddleware, which knows the user of each request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

import afterwork as aw
from examples.frameworks.orders import place, work, working


class CookieBackend(AuthenticationBackend):
    """Knows a user by a cookie. Yours would be signed."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.cookies.get("user")
        return (AuthCredentials(["staff"] if name == "ann" else []), SimpleUser(name)) if name else None


def visitor(request: Request) -> aw.Identity | Response:
    """Lead strangers to the login, and let the staff act."""
    if not request.user.is_authenticated:
        return RedirectResponse(f"/login?next={request.url.path}", 303)
    return aw.Identity(request.user.display_name, may_act="staff" in request.auth.scopes)


def order(request: Request) -> Response:
    """Place an order. Starlette calls a function that is no coroutine in a thread, so it may wait for the database."""
    with Session(request.app.state.engine) as session, session.begin():
        placed = place(session, request.user.display_name, int(request.query_params["amount"]))
        key = placed.id
    return JSONResponse({"id": key}, 201)


def log_in(request: Request) -> Response:
    return PlainTextResponse("Who are you?")


def create(engine: Engine) -> Starlette:
    """Return the application on a database."""

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        with working(engine):
            yield

    application = Starlette(
        routes=[
            Route("/login", log_in),
            Route("/orders", order, methods=["POST"]),
            Mount("/afterwork", aw.web(work, engine, authenticate=visitor)),
        ],
        middleware=[Middleware(AuthenticationMiddleware, backend=CookieBackend())],
        lifespan=lifespan,
    )
    application.state.engine = engine
    return application
