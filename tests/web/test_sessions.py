"""Sessions of visitors: how long they last, who shares them, and what is left of one that has ended."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, create_engine, text
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

import afterwork as aw
from afterwork.web.sessions import LASTING
from tests.conftest import Shop
from tests.support import shop
from tests.support.databases import ON_BOTH
from tests.web.conftest import client_of, csrf_of

HTML = {"accept": "text/html"}
HOST = "http://jobs.example"


def page_of(the_shop: Shop, token: str = "sesame") -> Starlette:
    return aw.web(the_shop.app, the_shop.engine, token=token, read_token="peep")


def browser(page: ASGIApp, cookies_of: TestClient | None = None, base: str = HOST) -> TestClient:
    """A browser, or another window of one, which has its cookies."""
    client = TestClient(page, base, client=("192.0.2.7", 50000), headers=HTML, follow_redirects=False)
    if cookies_of is not None:
        client.cookies = cookies_of.cookies.jar
    return client


def enter(client: TestClient, token: str = "sesame") -> TestClient:
    answer = client.post("/login", data={"csrf": csrf_of(client, "/login"), "token": token, "to": "/"})
    assert answer.status_code == 303
    return client


def is_in(client: TestClient) -> bool:
    return client.get("/lanes").status_code == 200


def pause(client: TestClient, csrf: str, lane: str = "main") -> int:
    return client.post(f"/lanes/{lane}/pause", data={"csrf": csrf, "back": "/lanes"}).status_code


@ON_BOTH
def test_servers_share_the_sessions_of_one_database_and_know_them_after_a_restart(the_shop: Shop) -> None:
    visitor = enter(browser(page_of(the_shop)))
    form = csrf_of(visitor, "/lanes")

    assert pause(browser(page_of(the_shop), visitor), form) == 303


@ON_BOTH
def test_a_copy_of_a_cookie_opens_nothing_after_logging_out(the_shop: Shop) -> None:
    here, there = page_of(the_shop), page_of(the_shop)
    visitor = enter(browser(here))
    form, stolen = csrf_of(visitor, "/lanes"), dict(visitor.cookies)
    assert visitor.post("/logout", data={"csrf": form}).headers["location"] == "/login"

    for page in (here, there):
        thief = browser(page)
        thief.cookies.update(stolen)
        assert not is_in(thief)
        assert pause(thief, form) == 401
        assert thief.get("/api/status", headers={"accept": "*/*"}).status_code == 401


def test_one_session_ends_and_the_others_go_on(the_shop: Shop) -> None:
    page = page_of(the_shop)
    one, other = enter(browser(page)), enter(browser(page))
    one.post("/logout", data={"csrf": csrf_of(one, "/lanes")})

    assert (is_in(one), is_in(other)) == (False, True)


@pytest.mark.parametrize("token", ["sesame", "peep"])
def test_whoever_came_in_can_leave(the_shop: Shop, token: str) -> None:
    visitor = enter(browser(page_of(the_shop)), token)
    assert 'action="/logout"' in visitor.get("/").text
    assert visitor.post("/logout", data={"csrf": csrf_of(visitor, "/lanes")}).status_code == 303

    assert not is_in(visitor)


def test_a_session_ends_some_hours_after_the_login_whatever_is_done_in_it(the_shop: Shop) -> None:
    visitor = enter(browser(page_of(the_shop)))
    the_shop.clock.advance(LASTING - timedelta(minutes=1))
    assert pause(visitor, csrf_of(visitor, "/lanes")) == 303
    the_shop.clock.advance(timedelta(minutes=1))

    assert not is_in(visitor)


def test_ended_sessions_are_noted_for_as_long_as_their_cookies_could_be_shown(the_shop: Shop) -> None:
    def noted() -> int:
        with the_shop.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM afterwork_ended_session")).scalar_one())

    page = page_of(the_shop)
    for _ in range(3):
        visitor = enter(browser(page))
        visitor.post("/logout", data={"csrf": csrf_of(visitor, "/lanes")})
    assert noted() == 3
    the_shop.clock.advance(LASTING)
    visitor = enter(browser(page))
    visitor.post("/logout", data={"csrf": csrf_of(visitor, "/lanes")})

    assert noted() == 1


def test_a_form_of_a_page_that_is_no_longer_logged_in_says_so_and_leads_back(the_shop: Shop) -> None:
    visitor = enter(browser(page_of(the_shop)))
    open_page = csrf_of(visitor, "/lanes")
    the_shop.clock.advance(LASTING)

    answer = visitor.post("/lanes/main/pause", data={"csrf": open_page}, headers={"referer": f"{HOST}/lanes?every=5"})

    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "not logged in any more" in answer.text
    assert 'href="/lanes?every=5"' in answer.text


def test_a_form_that_is_not_valid_any_more_says_so_and_leads_back(the_shop: Shop) -> None:
    visitor = enter(browser(page_of(the_shop)))
    before = csrf_of(visitor, "/lanes")
    enter(visitor)

    answer = visitor.post("/lanes/main/pause", data={"csrf": before, "back": "/lanes?every=5"})

    assert (answer.status_code, "Nothing was done" in answer.text) == (403, True)
    assert 'href="/lanes?every=5"' in answer.text
    assert pause(visitor, csrf_of(visitor, "/lanes")) == 303


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "javascript:alert(1)"])
def test_what_leads_back_leads_nowhere_else(the_shop: Shop, back: str) -> None:
    visitor = enter(browser(page_of(the_shop)))
    for form, headers in (({"back": back}, {}), ({}, {"referer": back})):
        answer = visitor.post("/lanes/main/pause", data={"csrf": "wrong", **form}, headers=headers)
        assert (answer.status_code, "evil" in answer.text, "alert" in answer.text) == (403, False, False)


@pytest.fixture
def other_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('other') / 'other.db'}")
    shop.create(engine)
    yield engine
    engine.dispose()


def test_pages_on_two_ports_of_a_host_leave_each_other_alone(the_shop: Shop, other_engine: Engine) -> None:
    """A browser sends the cookies of a host to all its ports."""
    the_shop.app.install(other_engine)
    pages = [
        page_of(the_shop),
        page_of(the_shop, "another"),
        aw.web(the_shop.app, other_engine, token="sesame", read_token="peep"),
    ]
    window = browser(pages[0])
    for page, token in zip(pages, ("sesame", "another", "sesame"), strict=True):
        enter(browser(page, window), token)
    forms = [csrf_of(browser(page, window), "/lanes") for page in pages]

    assert [pause(browser(page, window), form) for page, form in zip(pages, forms, strict=True)] == [303] * 3
    browser(pages[0], window).post("/logout", data={"csrf": csrf_of(browser(pages[0], window), "/lanes")})
    assert [is_in(browser(page, window)) for page in pages] == [False, True, True]


@pytest.mark.parametrize("secret", [None, "one for both"])
def test_pages_at_two_paths_of_a_host_leave_each_other_alone(
    the_shop: Shop, other_engine: Engine, secret: str | None
) -> None:
    the_shop.app.install(other_engine)
    paths = ("/one", "/two")
    pages = [aw.web(the_shop.app, engine, secret=secret) for engine in (the_shop.engine, other_engine)]
    both = Starlette(routes=[Mount(path, page) for path, page in zip(paths, pages, strict=True)])
    client = client_of(both)
    forms = [csrf_of(client, f"{path}/lanes") for path in paths]

    acted = [
        client.post(f"{path}/lanes/main/pause", data={"csrf": form, "back": f"{path}/lanes"}).status_code
        for path, form in zip(paths, forms, strict=True)
    ]
    assert acted == [200, 200]
    assert len(client.cookies) == 2


PUBLIC = ["/login", "/login?to=/", "/loginx", "/logoutx", "/static/nothing", "/livez", "/readyz", "/", "/api/status"]


@pytest.mark.parametrize("is_there", [True, False])
def test_before_somebody_is_in_nothing_of_the_database_is_told(the_shop: Shop, is_there: bool) -> None:
    """Neither where it is, nor what it is, nor why it can't be reached."""
    engine = the_shop.engine if is_there else create_engine("sqlite:////nowhere/secret-shop.db")
    client = browser(aw.web(the_shop.app, engine, token="sesame"))
    secret = [str(engine.url.database), "secret-shop", "shop.db", "sqlite", "unable to open"]

    for path in PUBLIC:
        for answer in (client.get(path), client.post(path, data={"token": "wrong", "csrf": csrf_of(client, "/login")})):
            found = [word for word in secret if word in answer.text or word in str(answer.headers)]
            assert (path, answer.status_code < 500 or path == "/readyz", found) == (path, True, [])


def test_while_the_database_is_gone_nobody_is_let_in_and_probes_answer(the_shop: Shop) -> None:
    page = page_of(the_shop)
    visitor = enter(browser(page))
    form = csrf_of(visitor, "/lanes")
    with the_shop.engine.begin() as connection:
        connection.execute(text("ALTER TABLE afterwork_ended_session RENAME TO hidden"))

    assert visitor.get("/lanes").status_code == 503
    assert pause(visitor, form) == 503
    assert [visitor.get(path).status_code for path in ("/livez", "/login", "/static/icon.svg")] == [200] * 3
    answer = visitor.post("/logout", data={"csrf": form})
    assert (answer.status_code, "a copy of the cookie" in answer.text) == (503, True)
    assert visitor.get("/lanes").headers["location"].startswith(f"/login?to={quote('/lanes')}")


def test_a_page_can_be_opened_before_anything_is_installed(tmp_path: str) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/empty.db")
    visitor = enter(browser(aw.web(Shop(engine).app, engine, token="sesame")))

    assert visitor.get("/lanes").status_code == 503
    engine.dispose()
