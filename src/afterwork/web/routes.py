"""The HTTP routes of pages and acts."""

from urllib.parse import urlsplit

from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from afterwork.errors import AfterworkError, BadRequest, MalformedExternalId
from afterwork.web import csrf
from afterwork.web.gate import identity_of
from afterwork.web.live import Live
from afterwork.web.page import ActRequest, Page, PageAct, Site
from afterwork.web.paths import local_path
from afterwork.web.render import render

MAX_FORM_FIELDS = 20_000

FORGED = "The form is not of this page, or it has expired: you have logged in or out since, or the session is over."


def page_route(site: Site, live: Live, page: Page) -> Route:
    """Return the route of a page: the whole page, or a stream of its changes for clients that accept events."""

    def whole(request: Request) -> Response:
        try:
            shown = page.show(site, request)
        except (AfterworkError, SQLAlchemyError) as error:
            return problem_page(site, request, error)
        return render(site, request, shown.template, shown.context)

    async def endpoint(request: Request) -> Response:
        if request.method == "GET" and "text/event-stream" in request.headers.get("accept", ""):
            return live.stream(request, lambda: page.show(site, request))
        return await run_in_threadpool(whole, request)

    return Route(page.path, endpoint, methods=["GET"])


def act_route(site: Site, act: PageAct) -> Route:
    """Return the route of an act. It redirects to the page of the form, which shows the result."""

    async def endpoint(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=MAX_FORM_FIELDS) as form:
            if not csrf.is_intended(request, str(form.get(csrf.FIELD, ""))):
                return refusal_page(site, request, 403, FORGED, str(form.get("back", "")))
            act_request = ActRequest(identity_of(request).name, request.path_params, form)
            done, problem = await run_in_threadpool(_outcome, site, act, act_request)
        request.session["said"] = {"text": done or problem, "is_problem": bool(problem)}
        return RedirectResponse(local_path(act_request.text("back"), request.scope.get("root_path", "")), 303)

    return Route(act.path, endpoint, methods=["POST"])


def _outcome(site: Site, act: PageAct, act_request: ActRequest) -> tuple[str, str]:
    """Return the result of an act and an empty text, or an empty text and the reason why it failed."""
    try:
        return act.do(site, act_request), ""
    except (AfterworkError, SQLAlchemyError) as error:
        return "", reason(site, error)


def refusal_page(site: Site, request: Request, status: int, why: str, back: str = "") -> Response:
    """Return the page that says why nothing was done, with a link to where the visitor was."""
    base, before = request.scope.get("root_path", ""), urlsplit(request.headers.get("referer", ""))
    again = back or (f"{before.path}?{before.query}" if before.query else before.path)
    given = {"title": "Nothing was done", "why": why, "again": local_path(again, base)}
    return render(site, request, "problem.html", given, status)


def problem_page(site: Site, request: Request, error: Exception) -> Response:
    """Return the page that says why another one can't be shown."""
    match error:
        case BadRequest() | MalformedExternalId() | DataError():
            title, status = "Not found", 404
        case AfterworkError():
            title, status = "Not ready", 503
        case _:
            title, status = "No database", 503
    given = {"title": title, "why": reason(site, error), "again": None}
    return render(site, request, "problem.html", given, status)


def reason(site: Site, error: Exception) -> str:
    """Return why something failed, in words for a visitor."""
    match error:
        case DataError():
            return f"The database can't hold what was asked for: {_driver_message(error)}"
        case SQLAlchemyError():
            return f"The database says: {_driver_message(error)}"
        case _:
            return site.as_typed(str(error))


def _driver_message(error: Exception) -> str:
    """Return the driver's message, without the statement and its parameters, which may hold data."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip()
