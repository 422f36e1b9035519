"""The routes `/livez`, `/readyz` and `/metrics` for orchestrators and monitoring."""

import dataclasses
from collections.abc import Sequence
from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from afterwork.errors import AfterworkError
from afterwork.server.health import Sign
from afterwork.web.metrics import metrics
from afterwork.web.routes import driver_message
from afterwork.web.site import Site


def probe_routes(site: Site) -> list[Route]:
    """Return the routes of the probes and of the metrics."""
    return [
        Route("/livez", partial(_live, site), methods=["GET"]),
        Route("/readyz", partial(_ready, site), methods=["GET"]),
        Route("/metrics", partial(_metrics, site), methods=["GET"]),
    ]


def _live(site: Site, request: Request) -> Response:
    """Answer whether the process is alive or must be restarted. Queries no database."""
    signs = site.app.loops(site.engine)
    return _answer(request, all(sign.good for sign in signs), signs)


def _ready(site: Site, request: Request) -> Response:
    """Answer whether the process can take work now."""
    health = site.app.health(site.engine)
    return _answer(request, health.ready, health.signs)


def _answer(request: Request, good: bool, signs: Sequence[Sign]) -> Response:
    """Answer with the signs of health. Details of the database are for known visitors only, which most probes are
    not."""
    knows = request.state.identity is not None
    shown = [dataclasses.asdict(sign) if knows else {"name": sign.name, "good": sign.good} for sign in signs]
    return JSONResponse({"ok": good, "signs": shown}, 200 if good else 503, {"cache-control": "no-store"})


def _metrics(site: Site, request: Request) -> Response:
    try:
        return Response(metrics(site.app, site.engine), media_type=CONTENT_TYPE_LATEST)
    except AfterworkError as error:
        return PlainTextResponse(str(error), 503)
    except SQLAlchemyError as error:
        return PlainTextResponse(f"The database says: {driver_message(error)}", 503)
