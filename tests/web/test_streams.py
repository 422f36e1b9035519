"""The streams of open pages: how many there may be, and when they end."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.serving import served
from afterwork.web.sessions import LASTING
from afterwork.web.streams import MOST, Streams
from tests.conftest import Shop
from tests.web.conftest import client_of, csrf_of
from tests.web.strangers import answer, connected


def test_one_client_may_have_all_streams_until_another_wants_one() -> None:
    streams = Streams(4)
    many = [streams.enter("many") for _ in range(4)]
    assert streams.enter("many") is None

    others = [streams.enter(client) for client in ("one", "one", "two", "one")]
    assert [place is not None for place in others] == [True, True, True, False]
    assert [place is not None and place.is_taken.is_set() for place in many] == [True, True, True, False]


def test_a_place_that_was_left_is_free() -> None:
    streams = Streams(1)
    place = streams.enter("one")
    assert place is not None
    streams.leave(place)
    streams.leave(place)

    assert streams.enter("two") is not None


def follow(address: str, sender: str = "127.0.0.1", cookie: str = "", more: str = "") -> bytes:
    return (
        f"GET /lanes?every=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nCookie: {cookie}\r\n{more}\r\n"
    ).encode()


def test_one_client_can_not_hold_all_streams(the_shop: Shop) -> None:
    with served(aw.web(the_shop.app, the_shop.engine), "127.0.0.1", 0) as address:
        ask = follow(address)
        many = []
        for _ in range(MOST):  # one after the other: the first to come is the first to go
            many.append(connected(address, "127.0.0.2", ask))
            assert many[-1].recv(15) == b"HTTP/1.1 200 OK"
        with connected(address, "127.0.0.3", ask) as other:
            assert other.recv(15) == b"HTTP/1.1 200 OK"
        assert answer(many.pop(0)).endswith(b"0\r\n\r\n")
        for one in many:
            one.close()


@pytest.fixture
def page(the_shop: Shop) -> Starlette:
    return aw.web(the_shop.app, the_shop.engine, token="sesame")


def logged_in(page: Starlette) -> TestClient:
    client = client_of(page)
    client.post("/login", data={"csrf": csrf_of(client, "/login"), "token": "sesame"})
    return client


@pytest.mark.parametrize("end", ["the session is left", "its time has passed"])
def test_a_stream_ends_when_the_session_does(the_shop: Shop, page: Starlette, end: str) -> None:
    visitor = logged_in(page)
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    with served(page, "127.0.0.1", 0) as address:
        stream = connected(address, sent=follow(address, cookie=cookie))
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
        if end == "the session is left":
            visitor.post("/logout", data={"csrf": csrf_of(visitor, "/lanes")})
        else:
            the_shop.clock.advance(LASTING)

        assert b"event: ended" in answer(stream)


def test_a_stream_ends_when_the_application_no_longer_lets_its_visitor_in(the_shop: Shop) -> None:
    staff = {"ann"}
    page = aw.web(
        the_shop.app,
        the_shop.engine,
        authenticate=lambda request: aw.Identity("ann", may_act=True) if "ann" in staff else None,
    )
    with served(page, "127.0.0.1", 0) as address:
        stream = connected(address, sent=follow(address))
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
        staff.clear()

        assert b"event: ended" in answer(stream)


def test_a_head_of_a_stream_is_no_stream(client: TestClient) -> None:
    answer = client.head("/lanes", headers={"accept": "text/event-stream"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
