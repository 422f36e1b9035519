"""The page within an application, at a path of its own, behind that application's own login."""

import re
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

import afterwork as aw
from tests.conftest import Shop
from tests.support.shop import add_customer
from tests.web.conftest import client_of, csrf_of

HTML = {"accept": "text/html"}
HOST = "http://shop.example"
LANES = "/back/office/lanes"


async def log_in(request: Request) -> Response:
    request.session["user"] = request.path_params["name"]
    request.state.identity = "of the application"
    return RedirectResponse(request.query_params.get("next", "/me"), 303)


async def me(request: Request) -> Response:
    return JSONResponse(dict(request.session))


def visitor(request: Request) -> aw.Identity | Response:
    user = request.session.get("user")
    if user is None:
        return RedirectResponse(f"/login/ann?next={request.url.path}", 303)
    return aw.Identity(user, may_act=user in request.app.state.staff)


def application(page: Starlette) -> Starlette:
    routes = [Route("/login/{name}", log_in), Route("/me", me), Mount("/back/office", page)]
    made = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key="its own")])
    made.state.staff = {"ann"}
    return made


@pytest.fixture
def browser(the_shop: Shop) -> Iterator[TestClient]:
    """A browser of a stranger, at the application that shows the page at `/back/office`."""
    page = aw.web(the_shop.app, the_shop.engine, authenticate=visitor)
    with client_of(application(page), host="192.0.2.7", base=HOST) as client:
        yield client


def test_a_stranger_is_led_to_the_login_and_back(browser: TestClient) -> None:
    answer = browser.get("/back/office/tickets", headers=HTML)

    assert [str(one.url) for one in answer.history] == [
        f"{HOST}/back/office/tickets",
        f"{HOST}/login/ann?next=/back/office/tickets",
    ]
    assert (answer.status_code, str(answer.url)) == (200, f"{HOST}/back/office/tickets")


@pytest.mark.parametrize("path", ["/back/office/", "/back/office/api/status"])
def test_programs_are_told_to_log_in_and_not_led_anywhere(browser: TestClient, path: str) -> None:
    answer = browser.get(path, headers={"accept": "application/json"}, follow_redirects=False)

    assert (answer.status_code, "Log in" in answer.text) == (401, True)


def test_an_act_of_a_stranger_is_refused(browser: TestClient) -> None:
    answer = browser.post(f"{LANES}/main/pause", headers=HTML, follow_redirects=False)

    assert answer.status_code == 401


def test_the_page_leaves_the_session_of_the_application_alone(browser: TestClient) -> None:
    browser.get("/back/office/", headers=HTML)  # it has a session, too, with the token of its forms

    assert browser.get("/me").json() == {"user": "ann"}
    names = [cookie.name for cookie in browser.cookies.jar]
    assert sorted(name.partition("_")[0] for name in names) == ["afterwork", "session"]


def test_who_is_logged_out_of_the_application_is_out_of_the_page(browser: TestClient) -> None:
    browser.get("/back/office/", headers=HTML)
    browser.cookies.delete("session")

    assert browser.get("/back/office/", headers=HTML, follow_redirects=False).status_code == 303


def test_acts_are_those_of_the_user_and_need_the_token_of_the_form(browser: TestClient, the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        ticket = aw.later(add_customer(session).assign_number)
        session.flush()
        key = str(ticket.id)
    form = {"keys": key, "back": "/back/office/tickets"}
    browser.get("/login/ann")
    assert browser.post("/back/office/tickets/cancel", data=form).status_code == 403

    answer = browser.post("/back/office/tickets/cancel", data=form | {"csrf": csrf_of(browser, LANES)})

    assert (answer.status_code, str(answer.url)) == (200, f"{HOST}/back/office/tickets")
    assert "ann" in browser.get(f"/back/office/tickets/{key}").text


def test_who_may_not_act_may_read(browser: TestClient) -> None:
    browser.get("/login/ann")
    form = {"csrf": csrf_of(browser, LANES), "back": LANES}
    assert browser.post(f"{LANES}/main/pause", data=form).status_code == 200
    browser.get("/login/bob")

    assert browser.get(LANES).status_code == 200
    assert browser.post(f"{LANES}/main/resume", data=form).status_code == 403


def test_each_link_leads_to_where_the_page_is_mounted(browser: TestClient) -> None:
    browser.get("/login/ann")
    page = browser.get("/back/office/").text
    links = set(re.findall(r'(?:href|src|action)="(/[^"]*)"', page))

    assert {link for link in links if not link.startswith("/back/office/")} == set()
    assert {link for link in links if browser.get(link.replace("&amp;", "&")).status_code != 200} == set()


def test_a_login_that_raises_says_what_is_answered(the_shop: Shop) -> None:
    """A dependency of FastAPI that finds the user raises, and may be used for the page as it is."""

    async def nobody(request: Request) -> aw.Identity:
        raise HTTPException(403, "Only the staff.")

    client = client_of(application(aw.web(the_shop.app, the_shop.engine, authenticate=nobody)))

    assert client.get("/back/office/", headers=HTML).text == "Only the staff."
    assert client.get("/back/office/api/status").json() == {"detail": "Only the staff."}
    assert client.get("/back/office/livez").status_code == 200


def test_what_the_page_notes_of_a_request_the_application_does_not_see(the_shop: Shop) -> None:
    page = aw.web(the_shop.app, the_shop.engine, authenticate=lambda request: aw.Identity("ann"))
    scopes = []

    async def outer(scope: dict[str, object], receive: object, send: object) -> None:
        scopes.append(scope)
        await page(scope, receive, send)  # type: ignore[arg-type]

    client_of(outer).get("/tickets")  # type: ignore[arg-type]

    assert scopes
    assert {"session", "app", "router"}.isdisjoint(scopes[0])
    assert "identity" not in (scopes[0].get("state") or {})  # type: ignore[operator]


def test_a_mounted_page_names_its_application_where_a_module_has_it() -> None:
    """Nothing has told it: it looks for itself among the modules that are loaded."""
    from examples.frameworks import orders

    assert orders.work.address == "examples.frameworks.orders:work"
    assert aw.Afterwork(orders.Base).address is None
    assert aw.Afterwork(orders.Base, address="office:work").address == "office:work"
