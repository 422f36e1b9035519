"""Who may come in, and who may act."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.paths import local_path
from tests.conftest import Shop
from tests.web.conftest import client_of, csrf_of

HTML = {"accept": "text/html"}


@pytest.fixture
def guarded(the_shop: Shop) -> Iterator[TestClient]:
    """A page that two tokens open, asked from elsewhere."""
    page = aw.web(the_shop.app, the_shop.engine, token="sesame", read_token="peep")
    with client_of(page, host="192.0.2.7", base="http://jobs.example") as client:
        yield client


def enter(client: TestClient, token: str) -> int:
    client.cookies.clear()
    form = {"csrf": csrf_of(client, "/login"), "token": token, "to": "/tickets?state=failed"}
    return client.post("/login", data=form, follow_redirects=False).status_code


def test_without_tokens_only_clients_of_this_machine_are_let_in(the_shop: Shop) -> None:
    page = aw.web(the_shop.app, the_shop.engine)

    assert client_of(page).get("/").status_code == 200
    answer = client_of(page, host="192.0.2.7").get("/")
    assert (answer.status_code, "AFTERWORK_WEB_TOKEN" in answer.text) == (403, True)


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "evil.example:8008", ""])
def test_a_name_that_points_here_is_not_this_machine(the_shop: Shop, name: str) -> None:
    """A page in a visitor's browser may let its own name point to 127.0.0.1 (DNS rebinding)."""
    client = client_of(aw.web(the_shop.app, the_shop.engine))

    assert client.get("/", headers={"host": name}).status_code == 403


@pytest.mark.parametrize("name", ["localhost:8008", "127.0.0.1", "[::1]:8008", "LOCALHOST"])
def test_this_machine_has_several_names(the_shop: Shop, name: str) -> None:
    client = client_of(aw.web(the_shop.app, the_shop.engine))

    assert client.get("/", headers={"host": name}).status_code == 200


def test_people_are_asked_for_the_token_and_programs_told_so(guarded: TestClient) -> None:
    asked = guarded.get("/tickets?state=failed", headers=HTML, follow_redirects=False)

    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?to=/tickets%3Fstate%3Dfailed"
    assert guarded.get("/api/status").json() == {"detail": "Show a token: Authorization: Bearer TOKEN."}
    assert guarded.get("/api/status").status_code == 401


def test_the_token_lets_in_and_leads_on(guarded: TestClient) -> None:
    assert enter(guarded, "wrong") == 401
    assert guarded.get("/", headers=HTML, follow_redirects=False).status_code == 303
    assert enter(guarded, "sesame") == 303
    assert guarded.get("/", follow_redirects=False).status_code == 200


def test_a_token_in_the_header_lets_programs_in(guarded: TestClient) -> None:
    def asked(token: str) -> int:
        return guarded.get("/api/status", headers={"authorization": f"Bearer {token}"}).status_code

    assert [asked(token) for token in ("sesame", "peep", "wrong", "")] == [200, 200, 401, 401]


def test_programs_that_are_made_of_the_document_call_things_by_short_names(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"].values()
    names = [operation["operationId"] for path in paths for operation in path.values()]

    assert {"status", "retry_tickets", "pause_lane", "pause_timer"} <= set(names)
    assert len(names) == len(set(names))


def test_logging_out_ends_the_session(guarded: TestClient) -> None:
    enter(guarded, "sesame")
    guarded.post("/logout", data={"csrf": csrf_of(guarded)})

    assert guarded.get("/", headers=HTML, follow_redirects=False).status_code == 303


def test_a_new_token_ends_sessions_of_the_old_one(the_shop: Shop, guarded: TestClient) -> None:
    enter(guarded, "sesame")
    renewed = client_of(aw.web(the_shop.app, the_shop.engine, token="other"), host="192.0.2.7")
    renewed.cookies = guarded.cookies

    assert renewed.get("/", headers=HTML, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "", "/x\r\nset-cookie: a=b"]
)
def test_a_login_leads_nowhere_else(wanted: str) -> None:
    assert local_path(wanted, "") == "/"
    assert local_path(wanted, "/jobs") == "/jobs/"


def test_an_application_may_have_its_own_login_and_place(the_shop: Shop) -> None:
    async def whoever(connection: HTTPConnection) -> aw.Identity | None:
        name = connection.headers.get("x-user")
        return aw.Identity(name, may_act=name == "ann") if name else None

    page = aw.web(the_shop.app, the_shop.engine, authenticate=whoever)
    client = client_of(Starlette(routes=[Mount("/jobs", page)]), host="192.0.2.7", base="http://jobs.example")

    assert client.get("/jobs/").status_code == 401
    answer = client.get("/jobs/", headers={"x-user": "ann"})
    assert answer.status_code == 200
    assert 'href="/jobs/tickets"' in answer.text
    assert client.get("/jobs/static/afterwork.css").status_code == 200


def test_what_is_sent_protects_the_visitor(client: TestClient) -> None:
    headers = client.get("/").headers

    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["cache-control"] == "no-store"
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_body_of_ten_megabytes_is_refused(client: TestClient) -> None:
    assert client.post("/login", content=b"x" * 10_000_000).status_code == 413


@pytest.mark.parametrize("path", ["/static/../access.py", "/static/%2e%2e/access.py", "/static/..%2faccess.py"])
def test_files_of_the_package_can_not_be_asked_for(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert "LOOPBACK_NAMES" not in answer.text
