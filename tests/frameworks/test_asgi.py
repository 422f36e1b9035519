"""FastAPI, Starlette and Litestar: each has a server in its lifespan, and shows the page to those who are logged in."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from examples.frameworks import fastapi_app, litestar_app, starlette_app
from examples.frameworks.orders import Order, SysAsyncTicket, work
from tests.support.serving import served_by_uvicorn
from tests.support.waiting import eventually

HTML = {"accept": "text/html"}
PAGE = "/afterwork"


@dataclass(frozen=True)
class Framework:
    create: Callable[[Engine], Any]
    log_in: Callable[[httpx2.Client], object]
    answer_to_strangers: int
    """The status of the page for somebody who is not logged in."""


FRAMEWORKS = {
    "fastapi": Framework(
        lambda engine: fastapi_app.create(engine, "secret"), lambda client: client.post("/login/ann"), 401
    ),
    "starlette": Framework(starlette_app.create, lambda client: client.cookies.set("user", "ann"), 303),
    "litestar": Framework(litestar_app.create, lambda client: client.post("/login/ann"), 401),
}


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> Framework:
    return FRAMEWORKS[request.param]


@pytest.fixture
def browser(framework: Framework, engine: Engine) -> Iterator[httpx2.Client]:
    with served_by_uvicorn(framework.create(engine)) as client:
        yield client


def key_of_an_order(browser: httpx2.Client) -> int:
    answer = browser.post("/orders?amount=50")
    assert answer.status_code == 201, answer.text
    return int(re.findall(r"\d+", answer.text)[0])


def test_jobs_run_as_long_as_the_application_is_up(framework: Framework, engine: Engine) -> None:
    with served_by_uvicorn(framework.create(engine)) as browser:
        framework.log_in(browser)
        key = key_of_an_order(browser)

        def is_done() -> bool:
            with Session(engine) as session:
                order = session.get_one(Order, key)
                return (order.customer, order.confirmed, order.tax) == ("ann", True, 10)

        eventually(is_done)
        assert len(work.insight(engine).status().servers) == 1

    assert work.insight(engine).status().servers == []


def test_strangers_see_nothing_of_the_page(framework: Framework, browser: httpx2.Client) -> None:
    for path in ("/", "/tickets", "/api/status", "/metrics"):
        assert browser.get(PAGE + path).status_code == 401
    assert browser.get(f"{PAGE}/", headers=HTML, follow_redirects=False).status_code == framework.answer_to_strangers
    assert browser.post(f"{PAGE}/lanes/main/pause").status_code == 401


def test_all_links_of_the_page_lead_somewhere(framework: Framework, browser: httpx2.Client) -> None:
    framework.log_in(browser)
    key_of_an_order(browser)
    pages = ["/", "/tickets", "/timers", "/caches", "/machines", "/lanes", "/model"]
    texts = [browser.get(PAGE + page, headers=HTML).raise_for_status().text for page in pages]
    links = {link.replace("&amp;", "&") for text in texts for link in re.findall(r'(?:href|src)="(/[^"]*)"', text)}

    assert len(links) > len(pages)
    assert {link for link in links if browser.get(link).status_code != 200} == set()


def test_whoever_is_logged_in_may_act_by_a_form_of_the_page_only(
    framework: Framework, browser: httpx2.Client, engine: Engine
) -> None:
    framework.log_in(browser)
    lanes = f"{PAGE}/lanes"
    token = re.findall(r'name="csrf" value="([^"]+)"', browser.get(lanes, headers=HTML).text)[0]

    assert browser.post(f"{lanes}/main/pause", data={"back": lanes}).status_code == 403
    assert not work.insight(engine).lane("main").paused

    answer = browser.post(f"{lanes}/main/pause", data={"csrf": token, "back": lanes}, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, lanes)
    assert work.insight(engine).lane("main").paused


def test_the_page_follows_what_happens(framework: Framework, browser: httpx2.Client, engine: Engine) -> None:
    framework.log_in(browser)
    with browser.stream("GET", f"{PAGE}/tickets?every=1", headers={"accept": "text/event-stream"}) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: main"
        with Session(engine) as session, session.begin():
            order = Order(customer="bob", amount=1)
            session.add_all([order, SysAsyncTicket(view_model="Order.confirm", root_object=order, lane="by hand")])

        assert any("by hand" in line for line in lines)  # the stream has no other end


def test_the_session_of_the_application_outlives_a_visit_of_the_page(
    framework: Framework, browser: httpx2.Client
) -> None:
    framework.log_in(browser)
    browser.get(f"{PAGE}/lanes", headers=HTML).raise_for_status()

    assert key_of_an_order(browser) > 0
