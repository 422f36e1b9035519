"""Tokens that are shown to the page: wrong ones are counted by client, wherever they are shown, and logged."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.events import WrongToken
from afterwork.web.serving import served
from afterwork.web.tokens import REMEMBERED, TRIES, WITHIN, WrongTokens
from tests.conftest import Shop
from tests.web.conftest import client_of, csrf_of
from tests.web.strangers import answer, connected

PLACES = ["/api/status", "/", "/metrics", "/readyz", "/api/tickets/retry"]


@pytest.fixture
def page(the_shop: Shop) -> Starlette:
    return aw.web(the_shop.app, the_shop.engine, token="sesame", read_token="peep")


def at(page: Starlette, host: str) -> TestClient:
    return client_of(page, host=host, base="http://jobs.example")


def shown(client: TestClient, token: str, path: str = "/api/status") -> int:
    method = "POST" if path.endswith("retry") else "GET"
    return client.request(
        method, path, headers={"authorization": f"Bearer {token}"}, follow_redirects=False
    ).status_code


def logged_in(client: TestClient, token: str) -> int:
    form = {"csrf": csrf_of(client, "/login"), "token": token}
    return client.post("/login", data=form, follow_redirects=False).status_code


@pytest.mark.parametrize("path", PLACES)
def test_a_client_that_has_shown_many_wrong_tokens_has_to_wait_wherever_it_has_shown_them(
    page: Starlette, path: str
) -> None:
    client = at(page, "192.0.2.7")
    for number in range(TRIES):
        shown(client, f"guess {number}", path)

    assert [shown(client, token) for token in ("guess", "sesame", "peep")] == [429] * 3
    assert logged_in(client, "sesame") == 429
    assert shown(at(page, "192.0.2.8"), "sesame") == 200


def test_forms_and_headers_are_counted_together(page: Starlette) -> None:
    client = at(page, "192.0.2.7")
    tried = [logged_in(client, "wrong") if number % 2 else shown(client, "wrong") for number in range(TRIES + 1)]

    assert tried == [401] * TRIES + [429]


def test_who_is_in_stays_in_while_others_at_the_address_guess(page: Starlette) -> None:
    visitor, guesser = at(page, "192.0.2.7"), at(page, "192.0.2.7")
    assert logged_in(visitor, "sesame") == 303
    for _ in range(TRIES):
        shown(guesser, "wrong")

    assert visitor.get("/lanes").status_code == 200


def test_a_network_of_ipv6_is_one_client(page: Starlette) -> None:
    answers = [shown(at(page, f"2001:db8::{number}"), "wrong") for number in range(1, TRIES + 2)]

    assert answers == [401] * TRIES + [429]
    assert shown(at(page, "2001:db8:0:1::1"), "sesame") == 200


def test_probes_answer_also_who_has_to_wait(page: Starlette) -> None:
    client = at(page, "192.0.2.7")
    for _ in range(TRIES):
        shown(client, "wrong", "/livez")

    assert shown(client, "wrong", "/livez") == shown(client, "sesame", "/readyz") == 200
    assert "says" not in client.get("/readyz", headers={"authorization": "Bearer sesame"}).text


def test_each_wrong_token_is_logged_without_the_token(
    the_shop: Shop, page: Starlette, caplog: pytest.LogCaptureFixture
) -> None:
    client = at(page, "192.0.2.7")
    logged_in(client, "a guess")
    for _ in range(TRIES + 3):
        shown(client, "a guess")

    told = [event for event in the_shop.seen if isinstance(event, WrongToken)]
    assert [(event.client, event.place, event.is_last) for event in told] == [
        ("192.0.2.7", "the login form", False),
        *[("192.0.2.7", "a header", False)] * (TRIES - 2),
        ("192.0.2.7", "a header", True),
    ]
    assert caplog.text.count("a wrong token for the web page from 192.0.2.7") == TRIES
    assert "a guess" not in caplog.text


def test_wrong_tokens_are_forgotten_in_time_and_bounded() -> None:
    now = [0.0]
    wrong = WrongTokens(lambda: now[0])
    assert [wrong.note("192.0.2.7") for _ in range(TRIES + 5)] == [*range(1, TRIES + 1), *[TRIES] * 5]
    assert (wrong.are_too_many("192.0.2.7"), wrong.are_too_many("192.0.2.8")) == (True, False)

    now[0] = WITHIN + 1
    assert not wrong.are_too_many("192.0.2.7")
    for _ in range(TRIES):
        wrong.note("192.0.2.7")
    for number in range(REMEMBERED):
        wrong.note(str(number))
    assert not wrong.are_too_many("192.0.2.7")


def guessed(address: str, client: str) -> bytes:
    """The status of a request with a wrong token, which a proxy has forwarded for a client."""
    head = f"GET /api/status HTTP/1.0\r\nX-Forwarded-For: {client}\r\nAuthorization: Bearer wrong\r\n\r\n"
    return answer(connected(address, sent=head.encode())).split(b" ")[1]


def test_only_a_proxy_that_is_named_can_say_for_whom_a_request_is(page: Starlette) -> None:
    with served(page, "127.0.0.1", 0) as address:
        statuses = [guessed(address, f"192.0.2.{number}") for number in range(TRIES + 1)]
        assert statuses == [b"401"] * TRIES + [b"429"]


def test_a_proxy_that_is_named_is_believed(page: Starlette) -> None:
    with served(page, "127.0.0.1", 0, proxies=["127.0.0.0/8"]) as address:
        statuses = [guessed(address, f"192.0.2.{number}") for number in range(TRIES + 1)]
        assert statuses == [b"401"] * (TRIES + 1)
        assert {guessed(address, f"made up {number}, 192.0.2.99") for number in range(TRIES + 1)} == {b"401", b"429"}


@pytest.mark.parametrize(("forwarded", "status"), [("192.0.2.7", 403), ("127.0.0.1, 192.0.2.7", 403), ("::1", 200)])
def test_what_a_proxy_of_this_machine_forwards_for_others_is_not_local(
    client: TestClient, forwarded: str, status: int
) -> None:
    """Whether it is named or not: it is the proxy that is on this machine, and not who asks."""
    assert client.get("/", headers={"x-forwarded-for": forwarded}).status_code == status
