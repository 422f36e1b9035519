"""The page of failures, and the links that lead there."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.pages.failures import PAGE_SIZE
from tests.conftest import Shop
from tests.support.shop import add_customer


def fail(the_shop: Shop, times: int = 1) -> None:
    with the_shop.session() as session, session.begin():
        customer = add_customer(session)
        for _ in range(times):
            aw.later(customer.fail)
    the_shop.run()


def test_what_has_failed_is_led_to_from_the_overview(client: TestClient, the_shop: Shop) -> None:
    fail(the_shop)
    (need,) = [need for need in client.get("/api/overview").json()["attention"] if "failed" in need["what"]]

    assert need["path"] == "/failures?work=Customer.fail"
    page = client.get(need["path"]).text
    assert "Failures of Customer.fail" in page
    assert 'href="/tickets/1"' in page
    assert "Traceback" in page


def test_failures_lead_on_to_older_ones(client: TestClient, the_shop: Shop) -> None:
    for _ in range(4):
        fail(the_shop, 20)  # of more than these, only the first of a minute are recorded
        the_shop.clock.advance(timedelta(minutes=1))
    page = client.get("/failures").text
    assert page.count('<section class="card"') == PAGE_SIZE
    older = page.partition('rel="next" href="')[2].partition('"')[0]

    assert client.get(older).text.count('<section class="card"') == 80 - PAGE_SIZE


@pytest.mark.parametrize("path", ["/failures?work=nothing", "/failures?before=x", "/failures?before=²", "/failures"])
def test_without_failures_the_page_says_so(client: TestClient, path: str) -> None:
    assert "No failures." in client.get(path).text
