"""The counts in the menu."""

import re
from datetime import timedelta

from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.recent import Recent
from tests.conftest import Shop
from tests.support.shop import Customer
from tests.web.conftest import client_of

PATHS = (
    "/",
    "/failures",
    "/tickets",
    "/works",
    "/timers",
    "/caches",
    "/graph",
    "/machines",
    "/lanes",
    "/model",
    "/check",
)


def counts_on(client: TestClient, path: str) -> dict[str, str]:
    """The counts in the menu of a page, by the names of their entries."""
    menu = client.get(path).text.split("<nav", 1)[1].split("</nav>", 1)[0]
    return dict(re.findall(r">(\w+)</a>\s*<span class=\"count [a-z]+\" title=\"([^\"]+)\"", menu))


def test_where_there_is_nothing_the_menu_has_no_counts(client: TestClient) -> None:
    assert {path: counts_on(client, path) for path in PATHS} == {path: {} for path in PATHS}


def test_each_page_counts_what_fails_and_waits_in_its_menu(the_shop: Shop, client: TestClient) -> None:
    with the_shop.session() as session:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.fail)
        session.commit()
        key = ann.id
    the_shop.run()
    with the_shop.session() as session:
        again = session.get_one(Customer, key)
        aw.later(again.assign_number)
        aw.later(again.assign_number, after=timedelta(days=1))
        session.commit()

    wanted = {"Failures": "1 failed within an hour", "Tickets": "1 waiting"}
    assert {path: counts_on(client, path) for path in PATHS} == dict.fromkeys(PATHS, wanted)


def test_the_login_counts_nothing(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.assign_number)
        session.commit()

    assert counts_on(client_of(aw.web(the_shop.app, the_shop.engine, token="t" * 32)), "/login") == {}


def test_a_page_that_can_not_be_shown_says_why_and_counts_nothing(the_shop: Shop, client: TestClient) -> None:
    the_shop.app.uninstall(the_shop.engine)

    answer = client.get("/tickets")

    assert answer.status_code == 503
    assert 'class="count' not in answer.text


def test_one_reading_is_shared_until_it_is_some_seconds_old() -> None:
    seconds, readings = [0.0], [0]
    recent: Recent[int] = Recent(2.0, lambda: seconds[0])

    def read() -> int:
        readings[0] += 1
        return readings[0]

    assert [recent.get(read), recent.get(read)] == [1, 1]
    seconds[0] = 2.0
    assert recent.get(read) == 2
