"""The page of failures, and the links that lead there."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.insight.traces import parts
from tests.conftest import Shop
from tests.support.shop import add_customer
from tests.web.conftest import Act


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
    assert need["error"].startswith("ValueError: ")
    page = client.get(need["path"]).text
    assert "Failures of Customer.fail" in page
    assert 'href="/tickets/1"' in page
    assert "Traceback" in page


def test_failures_of_one_place_are_one_group_with_all_their_tickets(client: TestClient, the_shop: Shop) -> None:
    fail(the_shop, 7)
    page = client.get("/failures").text

    assert page.count('class="card failure"') == 1
    assert "failed 7 times" in page
    assert "Retry 7" in page
    assert 'data-confirm="Retry 7 that failed?"' in page
    (link,) = set(re.findall(r'href="([^"]*group=[^"]*)"', page))
    assert client.get(unescape(link)).text.count('name="keys"') == 7


def group_of(client: TestClient) -> str:
    (group,) = client.get("/api/failures").json()
    found: str = group["id"]
    return found


def test_some_or_all_of_a_group_are_retried_and_no_others(client: TestClient, the_shop: Shop, act: Act) -> None:
    fail(the_shop, 3)
    of_group = {"work": "Customer.fail", "group": group_of(client)}
    of_group["back"] = "/failures?" + urlencode(of_group)
    assert "1 ticket retried." in act("/failures/retry", keys="2", **of_group)
    (group,) = client.get("/api/failures").json()
    assert {thing["name"]: thing["is_open"] for thing in group["things"]} == {"1": True, "2": False, "3": True}

    assert "2 tickets retried." in act("/failures/retry", all="1", **of_group)
    assert "Nothing of what was selected is failed any more." in act("/failures/retry", all="1", **of_group)


def test_frames_of_frameworks_are_folded_and_own_ones_are_not() -> None:
    trace = (
        "Traceback (most recent call last):\n"
        '  File "/venv/lib/python3.12/site-packages/sqlalchemy/orm/session.py", line 1, in flush\n    self._flush()\n'
        '  File "/usr/lib/python3.12/contextlib.py", line 2, in __exit__\n    next(self.gen)\n'
        '  File "/app/shop.py", line 3, in ship\n    raise ValueError\n'
        "ValueError\n"
    )
    found = parts(trace)

    assert [part.folded for part in found] == [0, 2, 0]
    assert "\n".join(part.text for part in found) + "\n" == trace
    assert found[2].text.startswith('  File "/app/shop.py"')


@pytest.mark.parametrize("path", ["/failures?work=nothing", "/failures?outcome=put+off&work=x", "/failures"])
def test_without_failures_the_page_says_so(client: TestClient, path: str) -> None:
    assert re.search("No failures.|Nothing was put off.", client.get(path).text)


def test_an_outcome_that_is_none_is_not_found(client: TestClient) -> None:
    assert client.get("/failures?outcome=done").status_code == 404
