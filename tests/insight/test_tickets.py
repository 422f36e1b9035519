"""Lists of tickets and their counts: what is found, in which order, page by page."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from afterwork.errors import BadRequest
from afterwork.insight import Count, TicketFilter
from afterwork.insight.service import Insight
from afterwork.store import tables
from afterwork.store.tickets import walk
from afterwork.store.tickets.filter import WantedState
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket


def add(the_shop: Shop, count: int = 1, **values: Any) -> None:
    now = the_shop.clock.now()
    row = {"view_model": "Customer.assign_number", "root_id": "Customer!1", "created": now - timedelta(hours=1)}
    with the_shop.engine.begin() as connection:
        connection.execute(insert(SysAsyncTicket), [row | values] * count)


def done(the_shop: Shop, **values: Any) -> dict[str, Any]:
    now = the_shop.clock.now()
    return {"done": now, "delete_time": now + timedelta(days=1), **values}


def failed(the_shop: Shop, error: str = "ValueError: bad") -> dict[str, Any]:
    return done(the_shop, error=error)


def later(the_shop: Shop, hours: float) -> dict[str, Any]:
    return {"execute_earliest": the_shop.clock.now() + timedelta(hours=hours)}


def lease(the_shop: Shop, key: str) -> None:
    now = the_shop.clock.now()
    values = {"run": f"run of {key}", "ticket": key, "lane": "parallel", "server": 1, "epoch": 1, "taken": now}
    with the_shop.engine.begin() as connection:
        connection.execute(insert(tables.lease), values | {"expires": now + timedelta(minutes=1)})


def insight(the_shop: Shop) -> Insight:
    return the_shop.app.insight(the_shop.engine)


def keys(the_shop: Shop, wanted: TicketFilter, most: int = 20) -> list[str]:
    return [ticket.key for ticket in insight(the_shop).tickets(wanted, most).tickets]


def paged(the_shop: Shop, wanted: TicketFilter, most: int) -> Iterator[list[str]]:
    """The keys of all pages."""
    after = None
    while True:
        page = insight(the_shop).tickets(wanted, most, after)
        yield [ticket.key for ticket in page.tickets]
        after = page.after
        if after is None:
            return


@pytest.fixture
def busy(the_shop: Shop) -> Shop:
    """A shop with a ticket in each state, and two that wait in different lanes."""
    add(the_shop)  # 1 waits
    add(the_shop, **later(the_shop, 1))  # 2
    add(the_shop, **failed(the_shop))  # 3
    add(the_shop, **done(the_shop))  # 4
    add(the_shop, view_model="Customer.export")  # 5 runs
    lease(the_shop, "5")
    add(the_shop, lane="mail", view_model="Customer.send_mail", root_id="Customer!2")  # 6 waits
    return the_shop


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("waiting", ["6", "1"]),
        ("scheduled", ["2"]),
        ("running", ["5"]),
        ("pending", ["6", "1", "2", "5"]),
        ("failed", ["3"]),
        ("done", ["4"]),
        (None, ["6", "5", "4", "3", "2", "1"]),
    ],
)
def test_tickets_are_found_by_state(busy: Shop, state: WantedState | None, expected: list[str]) -> None:
    found = insight(busy).tickets(TicketFilter(state)).tickets

    assert sorted(one.key for one in found) == sorted(expected)
    if state not in (None, "pending"):
        assert {one.state for one in found} == {state}


def test_each_state_is_counted(busy: Shop) -> None:
    counts = insight(busy).ticket_counts()

    assert {state: count.number for state, count in counts.items()} == {
        "waiting": 2, "scheduled": 1, "awaiting": 0, "running": 1, "failed": 1, "expired": 0, "done": 1,
    }  # fmt: skip
    assert not any(count.or_more for count in counts.values())


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (TicketFilter(work="SEND"), ["6"]),
        (TicketFilter(root="Customer!2"), ["6"]),
        (TicketFilter(root="Customer!"), []),
        (TicketFilter(root="Customer"), ["6", "5", "4", "3", "2", "1"]),
        (TicketFilter("waiting", root="Customer!1"), ["1"]),
        (TicketFilter(error="valueerror"), ["3"]),
        (TicketFilter(lane="mail"), ["6"]),
        (TicketFilter("waiting", lane="mail"), ["6"]),
        (TicketFilter(words=("4",)), ["4"]),
        (TicketFilter(words=("export", "Customer!1")), ["5"]),
        (TicketFilter(error="100%"), []),
    ],
)
def test_tickets_are_searched(busy: Shop, wanted: TicketFilter, expected: list[str]) -> None:
    assert keys(busy, wanted) == expected


def test_a_search_is_counted_by_state_too(busy: Shop) -> None:
    counts = insight(busy).ticket_counts(TicketFilter(root="Customer!1"))

    assert [count.number for count in counts.values()] == [1, 1, 0, 1, 1, 0, 1]


def test_pending_tickets_come_in_the_order_in_which_they_run(the_shop: Shop) -> None:
    add(the_shop, **later(the_shop, 2))
    add(the_shop, **later(the_shop, 1))
    add(the_shop, priority=2)
    add(the_shop, priority=1)
    add(the_shop, 2)

    assert keys(the_shop, TicketFilter("pending")) == ["4", "3", "5", "6", "2", "1"]


@pytest.mark.parametrize("state", [None, "pending", "failed"])
def test_pages_follow_each_other_without_gaps_or_doubles(the_shop: Shop, state: WantedState | None) -> None:
    for lane in ("mail", None, "Ä"):
        for priority in (None, 2):
            add(the_shop, 5, lane=lane, priority=priority)
            add(the_shop, 3, lane=lane, **later(the_shop, priority or 1))
            add(the_shop, 3, lane=lane, **failed(the_shop))
    whole = keys(the_shop, TicketFilter(state), 1000)

    pages = list(paged(the_shop, TicketFilter(state), 4))

    assert len(whole) == {None: 66, "pending": 48, "failed": 18}[state]
    assert [key for page in pages for key in page] == whole
    assert {len(page) for page in pages[:-1]} == {4}


def test_a_moment_that_a_program_has_written_in_its_own_way_leaves_no_gap(the_shop: Shop) -> None:
    """SQLite keeps what was written, with a fraction of a second or without."""
    moment = the_shop.clock.now().replace(microsecond=0) - timedelta(hours=1)
    add(the_shop, 6, created=moment)
    if the_shop.engine.dialect.name == "sqlite":
        with the_shop.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE sys_async_ticket SET created = substr(created, 1, 19) WHERE id > 2")

    assert sorted(key for page in paged(the_shop, TicketFilter("waiting"), 2) for key in page) == list("123456")


def test_a_page_begins_behind_a_ticket_that_is_there(busy: Shop) -> None:
    with pytest.raises(BadRequest, match=r"'4711', behind which the list goes on, is gone"):
        insight(busy).tickets(TicketFilter("pending"), after="4711")
    with pytest.raises(BadRequest, match="can't be the key"):
        insight(busy).tickets(after="no key")


def test_a_search_looks_at_some_tickets_at_a_time_and_says_so(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LOOKED_AT", 10)
    add(the_shop, **failed(the_shop, "rare"))
    add(the_shop, 25, **failed(the_shop))

    first = insight(the_shop).tickets(TicketFilter("failed", error="rare"))
    assert (first.tickets, first.looked_at, first.after) == ([], 10, "17")
    assert list(paged(the_shop, TicketFilter("failed", error="rare"), 5)) == [[], [], ["1"]]
    assert insight(the_shop).tickets(TicketFilter("failed"), 5).looked_at is None


def test_no_more_are_counted_than_people_want_to_know(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "LOOKED_AT", 10)
    add(the_shop, 11)
    add(the_shop, 10, **done(the_shop))
    add(the_shop, 30, **failed(the_shop))

    counts = insight(the_shop).ticket_counts()

    assert (str(counts["waiting"]), counts["failed"]) == ("10+", Count(10, or_more=True))
    assert counts["done"].or_more  # more have ended than are counted
    assert str(Count(10_000, or_more=True)) == "10,000+"


def test_tickets_are_found_without_afterworks_tables(the_shop: Shop) -> None:
    add(the_shop, 2)
    add(the_shop, **failed(the_shop))
    with the_shop.engine.begin() as connection:
        tables.metadata.drop_all(connection)

    assert keys(the_shop, TicketFilter("pending")) == ["2", "1"]
    assert keys(the_shop, TicketFilter("failed")) == ["3"]
