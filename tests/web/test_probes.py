"""`/livez`, `/readyz`, `/metrics`, as an orchestrator and Prometheus ask them."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, select, text
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.derived.queue.due_cache import WAITING
from afterwork.store.caches.tables import BLOCKED
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from tests.conftest import Shop, Trade
from tests.support import trade
from tests.support.databases import ON_BOTH
from tests.support.shop import SysAsyncTicket, add_customer
from tests.support.waiting import eventually
from tests.web.conftest import client_of

pytestmark = ON_BOTH

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"


def values(client: TestClient) -> dict[str, float]:
    """Each sample of `/metrics`, as it is written: `afterwork_tickets_waiting{lane="main"}`."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    values = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return values


def test_a_process_without_a_server_is_live_and_ready_if_its_database_is(client: TestClient, the_shop: Shop) -> None:
    assert client.get("/livez").json() == {"ok": True, "signs": []}
    assert client.get("/readyz").status_code == 200
    assert client.get("/readyz").json()["ok"]


def test_a_server_in_the_process_counts(client: TestClient, the_shop: Shop) -> None:
    with the_shop.app.serving(the_shop.engine):
        eventually(lambda: the_shop.rests)
        ready = client.get("/readyz")

        assert [sign["name"] for sign in ready.json()["signs"]] == [
            "loop",
            "workers",
            "listeners",
            "database",
            "wake-up",
        ]
        assert ready.status_code == 200


def test_a_server_that_drains_is_live_and_not_ready(client: TestClient, the_shop: Shop) -> None:
    with the_shop.stopping():
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200


def test_what_is_wrong_is_told_to_those_who_may_read_and_only_named_to_others(the_shop: Shop) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(text("UPDATE afterwork_installation SET value = '0' WHERE name = 'schema_version'"))
    with client_of(aw.web(the_shop.app, the_shop.engine, token="a token")) as stranger:
        answer = stranger.get("/readyz")
        known = stranger.get("/readyz", headers={"authorization": "Bearer a token"})

        assert answer.status_code == known.status_code == 503
        assert answer.json() == {"ok": False, "signs": [{"name": "database", "good": False}]}
        assert "version 0" in known.json()["signs"][0]["says"]
        assert stranger.get("/metrics").status_code == 401
        assert stranger.get("/metrics", headers={"authorization": "Bearer a token"}).status_code == 503


def test_metrics_tell_what_waits_and_what_has_run(client: TestClient, the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        customer = add_customer(session)
        aw.later(customer.send_mail)
        aw.later(customer.fail)
    the_shop.run()
    with the_shop.session() as session, session.begin():
        for ticket in (SysAsyncTicket(view_model="Customer.send_mail"), SysAsyncTicket(view_model="Customer.fail")):
            ticket.created = the_shop.clock.now()
            ticket.lane = "mail"
            session.add(ticket)

    found = values(client)

    assert found['afterwork_runs_total{outcome="done",source="ticket",work="Customer.send_mail"}'] == 1
    assert found['afterwork_runs_total{outcome="failed",source="ticket",work="Customer.fail"}'] == 1
    assert found['afterwork_run_seconds_count{source="ticket",work="Customer.send_mail"}'] == 1
    assert found['afterwork_run_seconds_bucket{le="+Inf",source="ticket",work="Customer.send_mail"}'] == 1
    assert found['afterwork_latency_seconds_bucket{le="+Inf",source="ticket",work="Customer.send_mail"}'] == 1
    assert found['afterwork_tickets_waiting{lane="mail"}'] == 2
    assert found["afterwork_servers"] == 0


def test_metrics_tell_of_caches_and_the_journal(the_trade: Trade) -> None:
    with the_trade.session() as session, session.begin():
        session.add(trade.Customer(name="Ann"))

    with client_of(aw.web(the_trade.app, the_trade.engine)) as client:
        before = values(client)
        the_trade.run()
        after = values(client)

    assert before["afterwork_journal_changes"] > 0
    assert after["afterwork_journal_changes"] == 0
    assert after["afterwork_caches_stale"] == 0
    assert after["afterwork_tickets_expired"] == 0


@pytest.mark.parametrize(("due", "count"), [(BLOCKED, 1), (WAITING, 1), (datetime(2999, 1, 1, tzinfo=UTC), 0)])
def test_what_waits_for_other_caches_is_stale_and_what_waits_for_a_moment_is_not(
    the_trade: Trade, due: datetime, count: int
) -> None:
    with the_trade.session() as session, session.begin():
        session.add(trade.Customer(name="Ann"))
    the_trade.run()
    with the_trade.engine.begin() as connection:
        number = connection.execute(select(derivations.c.id).limit(1)).scalar_one()
        waiting = {"cache": 1, "derivation": number, "due": due, "since": the_trade.clock.now(), "cause": "new"}
        connection.execute(insert(dues).values(waiting))

    found = the_trade.app.insight(the_trade.engine).gauges()

    assert (found.stale, found.stale_for) == (count, 0)


def test_the_number_of_series_depends_on_the_model_alone(client: TestClient, the_shop: Shop) -> None:
    """A series costs Prometheus for ever, and whoever writes tickets by SQL can name any works and lanes."""

    def asked_for(names: Sequence[str]) -> None:
        with the_shop.session() as session, session.begin():
            for name in names:
                ticket = SysAsyncTicket(view_model=f"Customer.{name}", root_id="Customer!1")
                ticket.lane, ticket.created = name, the_shop.clock.now()
                session.add(ticket)

    asked_for(["one", "two"])
    the_shop.run()
    asked_for(["three"])
    before = values(client)
    asked_for([f"name{number}" for number in range(30)])
    the_shop.run()
    asked_for([f"other{number}" for number in range(30)])
    after = values(client)

    assert before['afterwork_runs_total{outcome="failed",source="ticket",work="(other)"}'] == 2
    assert after['afterwork_runs_total{outcome="failed",source="ticket",work="(other)"}'] == 33
    assert after['afterwork_tickets_waiting{lane="(other)"}'] == 30
    assert set(after) == set(before)


def test_a_long_transaction_is_told(client: TestClient, the_shop: Shop) -> None:
    with the_shop.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        found = [name for name in values(client) if name.startswith("afterwork_longest_transaction_seconds")]

    assert len(found) == (0 if the_shop.engine.dialect.name == "sqlite" else 1)


def names_of(families: str) -> set[str]:
    """The names under which Prometheus keeps what `/metrics` tells, also of those without a sample."""
    names: set[str] = set()
    for line in families.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            names |= {f"{name}{end}" for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def test_the_dashboard_and_its_page_name_only_metrics_that_exist(client: TestClient) -> None:
    known = names_of(client.get("/metrics").text)
    dashboard = json.loads((HOWTO / "grafana.json").read_text(encoding="utf-8"))
    exprs = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    page = (HOWTO / "metrics.md").read_text(encoding="utf-8")
    asked = {name for expr in exprs for name in re.findall(r"afterwork_\w+", expr)}
    told = set(re.findall(r"`(afterwork_\w+)`", page))

    assert asked <= known
    assert {name.removesuffix("_bucket") for name in known} >= told
    assert len(asked) >= 12
