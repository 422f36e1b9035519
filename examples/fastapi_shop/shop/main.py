"""The application: `uvicorn --factory shop.main:from_environment --timeout-graceful-shutdown 2`."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware

import afterwork as aw
from shop import api, login
from shop.database import Database, url_of_environment
from shop.model import work


def create(database: Database, secret: str) -> FastAPI:
    """Return the application on a database that is migrated. `secret` signs the cookies."""

    @asynccontextmanager
    async def lifespan(shop: FastAPI) -> AsyncIterator[None]:
        with work.serving(database.jobs):  # or leave it out, and run `afterwork serve shop.model:work` beside it
            yield
        await database.close()

    shop = FastAPI(title="Shop", lifespan=lifespan)
    shop.state.database = database
    shop.add_middleware(SessionMiddleware, secret_key=secret)
    shop.include_router(login.router)
    shop.include_router(api.router)
    shop.mount("/afterwork", aw.web(work, database.jobs, authenticate=login.visitor, secret=secret))
    return shop


def from_environment() -> FastAPI:
    return create(Database.at(url_of_environment()), os.environ["SHOP_SECRET"])
