"""How pages and acts are asked for by HTTP."""

from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId
from afterwork.web import csrf
from afterwork.web.gate import identity_of
from afterwork.web.live import Live
from afterwork.web.login import local_path
from afterwork.web.page import ActRequest, Page, PageAct
from afterwork.web.render import render
from afterwork.web.site import Site

Endpoint = Callable[[Request], Awaitable[Response]]

MAX_FORM_FIELDS = 20_000


def page_route(site: Site, live: Live, page: Page) -> Route:
    """The route of a page: a whole page, or a stream of its changes for whoever asks for events."""

    def whole(request: Request) -> Response:
        try:
            shown = page.show(site, request)
        except (AfterworkError, SQLAlchemyError) as error:
            return problem_page(site, request, error)
        return render(site, request, shown.template, shown.context)

    async def endpoint(request: Request) -> Response:
        if "text/event-stream" in request.headers.get("accept", ""):
            return live.stream(request, lambda: page.show(site, request))
        return await run_in_threadpool(whole, request)

    return Route(page.path, endpoint, methods=["GET"])


def act_route(site: Site, act: PageAct) -> Route:
    """The route of an act. It leads back to the page with the form, where stands what was done."""

    async def endpoint(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=MAX_FORM_FIELDS) as form:
            if not csrf.is_intended(request, str(form.get(csrf.FIELD, ""))):
                return PlainTextResponse("This form did not come from this page, or was too old. Go back, reload.", 403)
            asked = ActRequest(identity_of(request).name, request.path_params, form)
            done, problem = await run_in_threadpool(_outcome, site, act, asked)
        request.session["said"] = {"text": done or problem, "is_problem": bool(problem)}
        return RedirectResponse(local_path(asked.text("back"), request.scope.get("root_path", "")), 303)

    return Route(act.path, endpoint, methods=["POST"])


def _outcome(site: Site, act: PageAct, asked: ActRequest) -> tuple[str, str]:
    """What was done, or why nothing was."""
    try:
        return act.do(site, asked), ""
    except AfterworkError as error:
        return "", str(error)
    except SQLAlchemyError as error:
        return "", f"The database says: {driver_message(error)}"


def problem_page(site: Site, request: Request, error: Exception) -> Response:
    """The page that says why another one can't be shown."""
    match error:
        case BadRequest() | MalformedExternalId():
            return render(site, request, "problem.html", {"title": "Not found", "why": str(error)}, 404)
        case DataError():
            why = f"The database can't hold what was asked for: {driver_message(error)}"
            return render(site, request, "problem.html", {"title": "Not found", "why": why}, 404)
        case AfterworkError():
            return render(site, request, "problem.html", {"title": "Not ready", "why": str(error)}, 503)
        case _:
            why = f"The database says: {driver_message(error)}"
            return render(site, request, "problem.html", {"title": "No database", "why": why}, 503)


def driver_message(error: Exception) -> str:
    """What the driver says, without the statement and its parameters, which may hold data."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip()
