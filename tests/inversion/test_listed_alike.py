"""Lists and pages of values in sets and at commit show what those of all other values show."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import URL
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.insight import objects_in_sets
from afterwork.insight import page as pages
from afterwork.store.bounded_count import Count
from tests.inversion.alike import WAYS, Base, Store
from tests.support.command_line import Afterwork, run, text_of, told
from tests.web.conftest import client_of

APP = "tests.inversion.test_listed_alike:app"
app = aw.Afterwork(Base)

EACH = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with client_of(aw.web(store.app, store.engine)) as client:
        yield client


@pytest.fixture
def afterwork(url: URL) -> Afterwork:
    return lambda command, *others: run(command, APP, *others, "--database", text_of(url))


def in_words(way: str) -> str:
    return way.replace("_", " ").replace("by", "by its")


def listed(store: Store, name: str, state: Any = None, after: str | None = None) -> list[str]:
    return [line.root_id for line in store.app.insight(store.engine).caches_of(name, state, after).items]


@EACH
def test_counts_are_of_objects_in_each_state(store: Store, way: str) -> None:
    insight = store.app.insight(store.engine)
    store.sql("UPDATE orders SET amount = amount + 1, customer_id = 3 - customer_id")
    stale = 0 if way == "at_commit" else 2
    if way == "in_sets":
        assert insight.cache(f"Customer.{way}").stale == Count(stale), "although each has been touched often"
    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1")
    store.run()

    share = insight.cache(f"Customer.share_{way}")
    assert (share.fresh, share.stale, share.failed) == (Count(1), Count(1), Count(1))
    assert (insight.cache(f"Customer.{way}").fresh, share.way) == (
        Count(2),
        in_words(way),
    )


def test_what_made_values_stale_is_named_while_it_waits(store: Store) -> None:
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")

    causes = store.app.insight(store.engine).cache("Customer.in_sets").causes
    assert [cause.what for cause in causes] == ["Order, changed"]


@EACH
def test_objects_are_listed_by_state(store: Store, way: str) -> None:
    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1")
    store.run()

    name = f"Customer.share_{way}"
    assert listed(store, name) == ["Customer!1", "Customer!2"]
    assert listed(store, name, "failed") == ["Customer!1"]
    assert listed(store, name, "fresh") == ["Customer!2"]


@pytest.mark.parametrize("way", ["in_sets", "at_commit"])
def test_one_that_can_not_be_calculated_keeps_no_list_from_being_shown(store: Store, way: str) -> None:
    store.sql("UPDATE orders SET amount = 0 WHERE customer_id = 1")

    insight = store.app.insight(store.engine)
    states = {line.root_id: line.state for line in insight.caches_of(f"Customer.share_{way}").items}
    assert states["Customer!1"] == "stale"
    assert listed(store, f"Customer.share_{way}", "stale") == ["Customer!1"]


@EACH
def test_lists_go_on_where_a_page_ends(store: Store, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    monkeypatch.setattr(objects_in_sets, "PAGE_SIZE", 1)

    first = store.app.insight(store.engine).caches_of(f"Customer.{way}")
    assert listed(store, f"Customer.{way}") == ["Customer!1"]
    assert listed(store, f"Customer.{way}", after=first.next) == ["Customer!2"]


@EACH
def test_a_value_stands_between_what_it_is_made_of_and_who_reads_it_in_what_state(store: Store, way: str) -> None:
    around = store.app.insight(store.engine).around("Customer!1", way)
    assert {(group.name, one.root_id, one.state) for group in around.readers for one in group.listed} == {
        (f"Region.{way}", "Region!1", "fresh")
    }
    assert "Order, queried" in [group.name for group in around.reads]


@EACH
def test_pages_say_which_way_it_goes_and_show_what_it_reads(store: Store, client: TestClient, way: str) -> None:
    shown = client.get(f"/caches/Customer.{way}/Customer!1").text
    assert "<svg" in shown
    assert ("It is refreshed in sets" in shown) == (way == "in_sets")
    assert ("It is computed at commit" in shown) == (way == "at_commit")
    assert ("Last change" in shown, "Last run" in shown) == ((False, True) if way == "by_reads" else (True, False))
    assert "It has not run yet" not in shown
    assert "Customer!2" in client.get(f"/caches/Customer.{way}").text
    assert in_words(way) in client.get("/caches").text


@EACH
def test_the_api_tells_the_same(store: Store, client: TestClient, way: str) -> None:
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    told_of = client.get("/api/explain", params={"root": "Customer!1", "cache": way}).json()
    assert told_of["state"] == ("fresh" if way == "at_commit" else "stale")
    assert (told_of["is_in_sets"], told_of["is_at_commit"]) == (way != "by_reads", way == "at_commit")
    assert (told_of["changed"] is None) == (way == "by_reads")
    caches = {cache["name"]: cache for cache in client.get("/api/caches").json()}
    assert caches[f"Customer.{way}"]["is_at_commit"] == (way == "at_commit")


@EACH
def test_the_command_line_tells_the_same(store: Store, afterwork: Afterwork, way: str) -> None:
    assert f"Customer.{way} of Customer!1 is fresh." in told(afterwork("explain", "Customer!1", way))
    (line,) = [line for line in told(afterwork("caches")).splitlines() if line.startswith(f"Customer.{way} ")]
    assert in_words(way) in line
    assert "Customer!1" in told(afterwork("caches", f"Customer.{way}", "--state", "fresh"))
    assert f"Customer.{way}: 2 recalculated" in told(afterwork("verify"))
    assert f"Customer.{way} of Customer!1" in told(afterwork("impact", "Order!1", "amount"))
    assert json.loads(told(afterwork("explain", "Customer!1", way, "--json")))["state"] == "fresh"


def test_runs_of_servers_are_in_the_history_with_the_time_that_they_took(store: Store) -> None:
    insight = store.app.insight(store.engine)
    before = {way: insight.cache(f"Customer.{way}").runs for way in WAYS}
    store.sql("UPDATE orders SET amount = 50 WHERE id = 1")
    store.run()

    for way in WAYS:
        cache = insight.cache(f"Customer.{way}")
        assert cache.runs - before[way] == (way != "at_commit"), "which no server has run"
        assert way == "at_commit" or (cache.mean is not None and cache.mean > 0)
