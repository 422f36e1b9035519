"""The pages on tickets, and the API on them."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.events import Acted
from tests.conftest import Shop
from tests.support.databases import ON_BOTH
from tests.support.shop import SysAsyncTicket, add_customer
from tests.web.conftest import Act, client_of


@pytest.fixture
def busy(the_shop: Shop) -> Shop:
    """Ticket 1 has failed, with a traceback; 2 waits; 3 waits for a moment; 4 names a work that there is not."""
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session, "<b>Ann</b>").fail)
    the_shop.run()
    later = the_shop.clock.now() + timedelta(hours=1)
    row: dict[str, Any] = {"view_model": "Customer.assign_number", "root_id": "Customer!1"}
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), [row])
        connection.execute(insert(SysAsyncTicket), [row | {"execute_earliest": later}])
        connection.execute(insert(SysAsyncTicket), [{"view_model": "<script>alert(1)</script>", "lane": "mail"}])
    return the_shop


def keys(page: str) -> list[str]:
    """The tickets that a list shows."""
    return re.findall(r'data-row="(\d+)"', page)


def test_an_empty_list_says_how_there_would_be_tickets(client: TestClient) -> None:
    assert "No tickets yet." in client.get("/tickets").text
    assert "No ticket matches this search" in client.get("/tickets?state=failed").text


def test_tickets_are_listed_counted_filtered_and_searched(busy: Shop, client: TestClient) -> None:
    assert keys(client.get("/tickets").text) == ["4", "3", "2", "1"]
    assert keys(client.get("/tickets?state=failed").text) == ["1"]
    assert keys(client.get("/tickets?state=waiting&lane=mail").text) == ["4"]
    assert keys(client.get("/tickets", params={"q": 'root:Customer!1 error:"be done"'}).text) == ["1"]
    assert re.search(r'waiting <span class="count">2</span>', client.get("/tickets").text)


def test_what_can_not_be_searched_for_is_told(client: TestClient) -> None:
    answer = client.get("/tickets", params={"q": "job:x"})

    assert answer.status_code == 404
    assert "Nothing can be searched by &#39;job:&#39;" in answer.text
    assert "There is no state &#39;odd&#39;" in client.get("/tickets?state=odd").text


def test_pages_lead_on(the_shop: Shop, client: TestClient) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), [{"view_model": "x"}] * 60)

    first = client.get("/tickets?state=waiting").text
    (onward,) = re.findall(r'rel="next" href="([^"]*)"', first)
    second = client.get(onward.replace("&amp;", "&")).text

    assert [*keys(first), *keys(second)] == [str(number) for number in range(1, 61)]
    assert "First page" in second


def test_a_ticket_shows_its_call_its_error_and_its_traceback(busy: Shop, client: TestClient) -> None:
    page = client.get("/tickets/1").text

    assert "<code>Customer!1.fail()</code>" in page
    assert "ValueError: &lt;b&gt;Ann&lt;/b&gt; can&#39;t be done" in page
    assert "Traceback (most recent call last)" in page
    assert "afterwork retry MODULE:APP 1 --database" in page


def test_a_ticket_says_why_it_waits(busy: Shop, client: TestClient) -> None:
    busy.app.control(busy.engine).pause("mail")

    assert "It is not to run before" in client.get("/tickets/3").text
    page = client.get("/tickets/4").text
    assert "Its lane mail is paused." in page
    assert "No server is running." in page
    assert "is no view model, no method and no job function of this model" in page
    assert "<script>alert" not in page


def test_a_ticket_that_is_gone_is_not_found(client: TestClient) -> None:
    answer = client.get("/tickets/4711")

    assert answer.status_code == 404
    assert "There is no ticket" in answer.text


def test_ticked_tickets_are_retried_run_and_cancelled(busy: Shop, client: TestClient, act: Act) -> None:
    assert "1 ticket retried." in act("/tickets/retry", "/tickets", keys=["1"])
    assert "1 ticket made due." in act("/tickets/run", "/tickets", keys=["3"])
    page = act("/tickets/cancel", "/tickets", keys=["2", "4711"])

    assert "1 ticket cancelled, 1 left alone.\n  4711: there is no such ticket" in page
    assert Acted("local", "retried", "ticket 1: 1 changed, 0 left alone") in busy.seen
    assert "Cancelled by local before it began." in client.get("/tickets/2").text


def test_all_that_match_are_cancelled(busy: Shop, client: TestClient, act: Act) -> None:
    act("/tickets/cancel", "/tickets", all="1", q="root:Customer!1", state="")

    assert keys(client.get("/tickets?state=failed").text) == ["3", "2", "1"]
    assert keys(client.get("/tickets?state=waiting").text) == ["4"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=waiting", "all 2 that match"),
        ("state=failed", "all 1 that match"),
        ("state=pending&q=root:Customer!1", "all 2 that match"),
        ("", "all that match (retry 1 failed, run 1 scheduled, cancel 3 pending)"),
    ],
)
def test_it_is_said_beforehand_how_many_match(busy: Shop, client: TestClient, query: str, said: str) -> None:
    assert f"{said}, not only those selected" in client.get(f"/tickets?{query}").text


@pytest.mark.parametrize("key", ["north side", 'the "old" one', '"', "root:Customer!x", "naïve 東", "a&b=c#d?e%20f+g"])
def test_the_link_of_a_root_finds_its_tickets_and_no_others(the_shop: Shop, client: TestClient, key: str) -> None:
    with the_shop.session() as session, session.begin():
        for root in (key, "north", "old"):
            session.add(SysAsyncTicket(view_model="Customer.assign_number", root_id=f"Customer!{root}"))
    page = client.get("/tickets").text
    links = {unescape(link) for link in re.findall(r'href="(/tickets\?q=root[^"]*)"', page)}

    assert len(links) == 3
    assert [len(keys(client.get(link).text)) for link in links] == [1, 1, 1]


def test_an_act_on_nothing_says_so(busy: Shop, act: Act) -> None:
    assert "Nothing was selected." in act("/tickets/cancel", "/tickets")


def test_who_may_only_read_sees_no_buttons_and_can_not_act(busy: Shop) -> None:
    client = client_of(aw.web(busy.app, busy.engine, read_only=True))

    page = client.get("/tickets/1").text
    assert 'action="/tickets/retry"' not in page
    assert "afterwork retry" not in page
    assert client.post("/tickets/retry", data={"keys": "1"}).status_code == 403
    assert client.post("/api/tickets/retry", json={"keys": ["1"]}).status_code == 403


def test_an_act_without_the_token_of_the_form_is_refused(busy: Shop, client: TestClient) -> None:
    assert client.post("/tickets/cancel", data={"keys": "2"}).status_code == 403


# The API


@ON_BOTH
def test_the_api_finds_and_counts_tickets(busy: Shop, client: TestClient) -> None:
    page = client.get("/api/tickets", params={"search": "root:Customer!1", "most": 2}).json()

    assert ([one["key"] for one in page["tickets"]], page["after"]) == (["3", "2"], "2")
    more = client.get("/api/tickets", params={"root": "Customer!1", "after": "2"}).json()
    assert [one["key"] for one in more["tickets"]] == ["1"]
    counts = client.get("/api/ticket-counts", params={"work": "assign"}).json()
    assert counts["scheduled"] == {"number": 1, "or_more": False}


def test_the_api_tells_of_one_ticket(busy: Shop, client: TestClient) -> None:
    found = client.get("/api/tickets/1").json()

    assert (found["call"], found["ticket"]["state"], found["root_is_there"]) == ("Customer!1.fail()", "failed", True)
    assert [step["what"] for step in found["timeline"]] == ["created", "failed", "receipt goes"]
    assert "can't be done" in found["attempts"][0]["trace"]


def test_the_api_acts_on_keys_or_on_all_that_match(busy: Shop, client: TestClient) -> None:
    done = client.post("/api/tickets/cancel", json={"keys": ["2", "4711"]}).json()
    assert (done["changed"], done["named"]) == (1, [{"key": "4711", "why": "there is no such ticket"}])
    assert client.post("/api/tickets/run", json={"all_matching": {"root": "Customer!1"}}).json()["changed"] == 1
    assert client.post("/api/tickets/retry", json={"all_matching": {"error": "be done"}}).json()["changed"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"keys": ["1"], "all_matching": {}}, 400), ({"keys": ["no key"]}, 400), ({"what": 1}, 422)],
)
def test_the_api_says_what_can_not_be_meant(busy: Shop, client: TestClient, body: Any, status: int) -> None:
    assert client.post("/api/tickets/retry", json=body).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/tickets/4711", 404),
        ("/api/tickets?search=job:x", 400),
        ("/api/tickets?after=4711", 400),
        ("/api/tickets?state=odd", 422),
        ("/api/tickets?root=%00", 400),
        ("/api/tickets/%00", 400),
    ],
)
def test_the_api_says_what_is_not_there(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)

    assert answer.status_code == status
    assert answer.json()["detail"]


def test_another_page_in_a_browser_can_not_act_by_the_api(busy: Shop, client: TestClient) -> None:
    client.get("/")  # the browser has a session
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/api/tickets/cancel", json={"keys": ["2"]}, headers=header).status_code == 403


def test_a_ticket_shows_its_flow_as_a_picture(the_shop: Shop, client: TestClient) -> None:
    with the_shop.session() as session, session.begin():
        ann = add_customer(session, "Ann")
        aw.after([aw.later(ann.assign_number)], ann.send_mail)

    page = client.get("/tickets/2").text

    assert "It waits for 1 of 1 tickets." in page
    assert re.search(r'<svg [^>]*aria-label="The flow of this ticket"', page)
    assert '<a href="/tickets/1">' in page
    assert keys(client.get("/tickets?state=awaiting").text) == ["2"]
    flow = client.get("/api/tickets/2").json()["flow"]
    assert (flow["pairs"], flow["pending"]) == ([["1", "2"]], 1)
