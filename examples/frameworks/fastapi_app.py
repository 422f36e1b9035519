"""FastAPI: a server in the lifespan, a session as a dependency, the page behind the application's login.

uvicorn --factory examples.frameworks.fastapi_app:from_environment --timeout-graceful-shutdown 2
"""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.middleware.sessions import SessionMiddleware

import afterwork as aw
from examples.frameworks.orders import Order, engine_of_environment, place, work, working

STAFF = {"ann"}


def session_of(request: Request) -> Iterator[Session]:
    """One transaction for each request, which commits before the response is sent."""
    with Session(request.app.state.engine) as session, session.begin():
        yield session


InTransaction = Annotated[Session, Depends(session_of, scope="function")]


def current_user(request: Request) -> str:
    """Return the name of the user, whom the login has noted in the session."""
    name = request.session.get("user")
    if name is None:
        raise HTTPException(401, "Log in first.")
    return str(name)


User = Annotated[str, Depends(current_user)]


def visitor(request: Request) -> aw.Identity:
    """Let users see the page, and the staff act on it. What `current_user` raises is what strangers get."""
    name = current_user(request)
    return aw.Identity(name, may_act=name in STAFF)


def create(engine: Engine, secret: str) -> FastAPI:
    """Return the application on a database."""

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        with working(engine):
            yield

    api = FastAPI(lifespan=lifespan)
    api.state.engine = engine
    api.add_middleware(SessionMiddleware, secret_key=secret)
    api.mount("/afterwork", aw.web(work, engine, authenticate=visitor, secret=secret))

    @api.post("/login/{name}")
    def log_in(request: Request, name: str) -> None:
        request.session["user"] = name  # yours asks for a password

    @api.post("/orders", status_code=201)
    def order(session: InTransaction, user: User, amount: int) -> int:
        return place(session, user, amount).id

    @api.get("/orders/{key}")
    def show(session: InTransaction, key: int) -> dict[str, object]:
        order = session.get(Order, key)
        if order is None:
            raise HTTPException(404)
        return {"customer": order.customer, "tax": order.tax, "confirmed": order.confirmed}

    return api


def from_environment() -> FastAPI:
    """Return the application that the environment describes."""
    return create(engine_of_environment(), os.environ["SECRET"])
