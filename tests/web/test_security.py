"""No act without the right, none that was not meant, and nothing that is too large: for every route that there is."""

from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.body import MAX_BODY_BYTES
from tests.conftest import Shop
from tests.web.conftest import client_of, csrf_of
from tests.web.hostile import filled, posted, routes

OPEN = ("/login", "/logout")
"""What is sent before, or in place of, an act."""

REFUSED = (401, 403)

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass
class Doors:
    """One shop's page, and who may stand before it."""

    page: Starlette
    read_only: Starlette

    def acts(self) -> list[str]:
        """Every path to which something may be sent."""
        return [filled(path) for path in routes(self.page, "POST") if path not in OPEN]

    def statuses(self, page: Starlette, headers: dict[str, str]) -> dict[str, int]:
        """What every act answers to a request with these headers."""
        client = client_of(page, host="192.0.2.7", base="http://jobs.example")
        return {path: client.post(path, headers=headers, follow_redirects=False).status_code for path in self.acts()}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def doors(the_shop: Shop) -> Doors:
    def made(read_only: bool) -> Starlette:
        return aw.web(the_shop.app, the_shop.engine, token="sesame", read_token="peep", read_only=read_only)

    return Doors(made(False), made(True))


@pytest.fixture
def visitor(doors: Doors) -> TestClient:
    """A browser that has logged in."""
    return logged_in(doors.page)


def logged_in(page: Starlette) -> TestClient:
    client = client_of(page, host="192.0.2.7", base="http://jobs.example")
    answer = client.post("/login", data={"csrf": csrf_of(client, "/login"), "token": "sesame", "to": "/"})
    assert answer.status_code == 200
    return client


def test_the_acts_that_are_tried_are_those_of_the_pages_and_of_the_api(doors: Doors) -> None:
    described = client_of(doors.page).get("/api/openapi.json", headers=bearer("peep")).json()["paths"]

    acts = {f"/api{filled(path)}" for path, found in described.items() if "post" in found}
    assert acts == {path for path in doors.acts() if path.startswith("/api")}
    assert {"/tickets/retry", "/recompute", "/timers/x/run", "/lanes/x/pause"} <= set(doors.acts())


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("reader", 403), ("wrong token", 401), ("anybody, where all is read-only", 403)],
)
def test_nobody_acts_without_the_right(doors: Doors, who: str, status: int) -> None:
    page = doors.read_only if "read-only" in who else doors.page
    headers = {"nobody": {}, "reader": bearer("peep"), "wrong token": bearer("open")}.get(who, bearer("sesame"))
    later = {429} if who == "wrong token" else set()  # who shows many has to wait

    assert set(doors.statuses(page, headers).values()) == {status} | later


def test_who_has_the_right_comes_through(doors: Doors) -> None:
    """What these acts are sent means nothing, and it is that which they answer."""
    assert not set(doors.statuses(doors.page, bearer("sesame")).values()) & set(REFUSED)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_ways_to_act_there_are_none(doors: Doors, method: str) -> None:
    client = client_of(doors.page)

    for path in doors.acts():
        assert client.request(method, path, headers=bearer("peep")).status_code == 403
        assert client.request(method, path, headers=bearer("sesame")).status_code in (404, 405)


def sent(client: TestClient, path: str, shown: str | None) -> int:
    """Act as a browser does, with a token in a form, or in the header of a script of a page."""
    if path.startswith("/api"):
        headers: dict[str, Any] = {"origin": "http://jobs.example"} | (
            {} if shown is None else {"x-csrf-token": shown.encode()}
        )
        return client.post(path, headers=headers).status_code
    form = {"keys": "1"} if shown is None else {"keys": "1", "csrf": shown}
    return client.post(path, data=form, follow_redirects=False).status_code


def test_an_act_that_was_not_meant_is_refused(doors: Doors, visitor: TestClient) -> None:
    own, of_another = csrf_of(visitor), csrf_of(logged_in(doors.page))
    for path in doors.acts():
        found = [sent(visitor, path, shown) for shown in (None, "", "wrong", "ä", of_another)]
        assert (path, found) == (path, [403] * 5)
        assert (path, sent(visitor, path, own) in REFUSED) == (path, False)


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site", "referer", "cookie"])
def test_whatever_tells_of_a_browser_asks_for_the_token(the_shop: Shop, name: str) -> None:
    """Also where nobody has to log in: any page that is open in a browser of this machine can send something here."""
    client = client_of(aw.web(the_shop.app, the_shop.engine))

    assert client.post("/api/tickets/cancel", json={"keys": ["1"]}).status_code == 200
    assert client.post("/api/tickets/cancel", json={"keys": ["1"]}, headers={name: "a=b"}).status_code == 403


def test_another_page_can_neither_log_in_nor_out(doors: Doors, visitor: TestClient) -> None:
    stranger = client_of(doors.page)
    assert stranger.post("/login", data={"token": "sesame"}, follow_redirects=False).status_code == 403
    visitor.post("/logout", data={"csrf": "wrong"})
    assert visitor.get("/", follow_redirects=False).status_code == 200


@pytest.mark.parametrize("path", ["/tickets/cancel", "/api/tickets/cancel", "/login"])
def test_a_large_body_is_refused_before_it_is_read(the_shop: Shop, path: str) -> None:
    page = aw.web(the_shop.app, the_shop.engine)
    chunk = 100_000

    said = posted(page, path, 100, chunk, {"content-length": "10000000"})
    assert said == (413, 0)
    status, taken = posted(page, path, 100, chunk, {"transfer-encoding": "chunked"})
    assert (status, taken <= MAX_BODY_BYTES + chunk) == (413, True)
    status, taken = posted(page, path, 100, chunk, {"content-length": "12"})
    assert (status, taken <= MAX_BODY_BYTES + chunk) == (413, True)


@pytest.mark.parametrize("length", ["²", "-1", "ten", "99999999999999999999"])
def test_a_length_that_is_none_breaks_nothing(the_shop: Shop, length: str) -> None:
    page = aw.web(the_shop.app, the_shop.engine)

    assert posted(page, "/tickets/cancel", 1, 10, {"content-length": length})[0] in (403, 413)


@pytest.mark.parametrize("wanted", ["/x\r\nset-cookie: taken=1", "//evil.example", "https://evil.example", "/\\evil"])
def test_what_is_sent_back_leads_only_here(visitor: TestClient, wanted: str) -> None:
    csrf = csrf_of(visitor)

    answer = visitor.post("/tickets/cancel", data={"csrf": csrf, "back": wanted}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "taken" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("path", ["/tickets%0d%0aset-cookie:%20taken=1/", "//evil.example/", "/%0d%0a/"])
def test_an_address_that_is_none_leads_nowhere(visitor: TestClient, path: str) -> None:
    """Addresses are put right by leading on to others, such as those without a stroke at their end."""
    answer = visitor.get(f"http://jobs.example{path}", follow_redirects=False)

    assert answer.status_code == 404 or answer.headers["location"].startswith("http://jobs.example/")
    assert "set-cookie: taken" not in str(answer.headers)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        (f"/timers/{'%F0%9F%98%80' * 3000}/run", {}),
        ("/tickets/cancel", {"keys": [str(n) for n in range(10**6, 10**6 + 500)]}),
    ],
)
def test_what_is_said_of_an_act_fits_into_a_cookie(visitor: TestClient, path: str, given: dict[str, Any]) -> None:
    """A browser drops a cookie of more than 4,096 bytes, and with it what was done."""
    answer = visitor.post(path, data={"csrf": csrf_of(visitor), **given}, follow_redirects=False)

    assert answer.status_code == 303
    assert 0 < len(answer.headers["set-cookie"]) < 4096


def test_what_is_not_there_in_the_api_is_told_in_json(visitor: TestClient) -> None:
    """Also at addresses that lead to no part of the page, such as those with the end of a line in them."""
    for path in ("/api/nothing", "/api/caches/%0a", "/api/"):
        answer = visitor.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["detail"])
