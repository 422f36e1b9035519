"""Litestar: a server in the lifespan, a session as a dependency, the page below a path, behind a session's login."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import litestar
from litestar import Litestar
from litestar.di import NamedDependency, Provide
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import FromPath, FromQuery
from litestar.types import Receive, Scope, Send
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.requests import Request as StarletteRequest

import afterwork as aw
from examples.frameworks.orders import place, work, working

Request = litestar.Request[Any, Any, Any]
PATH = "/afterwork"


def visitor(request: StarletteRequest) -> aw.Identity | None:
    """Return the user whom the login has noted in Litestar's session."""
    session = request.scope["session"]
    user = session.get("user") if isinstance(session, dict) else None
    return aw.Identity(user, may_act=user == "ann") if user else None


def page_at(path: str, page: Any) -> litestar.handlers.ASGIRouteHandler:
    """Return a handler that shows the page below a path.

    Litestar cuts the path of a mount off, and adds a slash to what is left. The page wants the whole path, and to know
    where it is mounted.
    """

    @litestar.asgi(path, is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "") + path
        await page({**scope, "root_path": root, "path": root + (scope["path"].rstrip("/") or "/")}, receive, send)

    return mounted


@litestar.post("/login/{name:str}", sync_to_thread=False)
def log_in(request: Request, name: FromPath[str]) -> None:
    request.session["user"] = name  # yours asks for a password


@litestar.post("/orders", sync_to_thread=True)
def order(request: Request, db: NamedDependency[Session], amount: FromQuery[int]) -> dict[str, int]:
    return {"id": place(db, request.session["user"], amount).id}


def create(engine: Engine) -> Litestar:
    """Return the application on a database."""

    @asynccontextmanager
    async def lifespan(application: Litestar) -> AsyncIterator[None]:
        with working(engine):
            yield

    def session() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            yield session

    return Litestar(
        route_handlers=[log_in, order, page_at(PATH, aw.web(work, engine, authenticate=visitor))],
        dependencies={"db": Provide(session)},
        middleware=[ServerSideSessionConfig().middleware],
        lifespan=[lifespan],
        logging_config=None,
    )
