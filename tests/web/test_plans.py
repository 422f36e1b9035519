"""What a page costs the database: no more with three times as many tickets, caches, manifests and matches. There are so
many of all that nothing is counted to its end."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, DateTime, Engine, bindparam, text

import afterwork as aw
from afterwork.derived.manifest.reads import KEY_BITS
from afterwork.insight import caches, gauges, object_states, status, timers
from afterwork.store import bounded_count
from afterwork.store.tickets import walk
from afterwork.web import page
from examples.shop import app, create
from tests.support.databases import ON_BOTH
from tests.support.effort import effort
from tests.web.browser import scenes
from tests.web.conftest import client_of

COUNTED = 500
"""So many are counted here, and not more."""

FAR = 1_000_000_000
"""Made up objects have keys from here on."""

PAGES = (
    "/", "/tickets", "/tickets?state=waiting", "/tickets?state=scheduled", "/tickets?state=failed",
    "/tickets?state=done", "/tickets?state=running", "/tickets?q=root:Customer!7", "/tickets?q=nowhere", "/tickets/1",
    "/timers", "/timers/ExportOrder", "/caches", "/caches/Order.total", "/caches/Order.total?state=stale",
    "/caches/Order.total?state=failed", "/caches/Order.total/Order!1", "/impact?root=Customer!1&member=name",
    "/machines", "/machines/Order.flow", "/machines/Order.flow/Order!1", "/lanes", "/model", "/metrics",
    "/works", "/works?span=week", "/works/Customer.remind", "/works/Order.total?span=week", "/works/ExportOrder",
    "/graph", "/readyz",
    "/api/status", "/api/overview",
)  # fmt: skip

SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :count)"

TICKETS = (
    "INSERT INTO sys_async_ticket"
    " (view_model, root_id, keep_receipt_minutes, attempts, created, done, delete_time, error, execute_earliest)"
    f" {SERIES} SELECT 'Customer.remind', 'Customer!' || n, 10, 1, CURRENT_TIMESTAMP,"
    " CASE WHEN n % 4 < 2 THEN CURRENT_TIMESTAMP END, CASE WHEN n % 4 < 2 THEN CURRENT_TIMESTAMP END,"
    " CASE WHEN n % 4 = 1 THEN 'ValueError: bad' END, CASE WHEN n % 4 = 2 THEN :later END FROM series"
)
HITS = (
    "INSERT INTO afterwork_match (id, view_model, root_id, lane, created, keep_receipt_minutes, attempts)"
    f" {SERIES} SELECT 'made up ' || (:begun + n), 'ExportOrder', 'Order!' || n, 'main', CURRENT_TIMESTAMP, 0, 0"
    " FROM series"
)
CACHES = (
    "INSERT INTO afterwork_cache (derivation, root, snapshot, runs, computed, error)"
    f" {SERIES} SELECT one.derivation, 'Order!' || (:far + n), one.snapshot, 1, one.computed,"
    " CASE WHEN n % 2 = 0 THEN 'ValueError: bad' END FROM series CROSS JOIN (SELECT * FROM afterwork_cache"
    " WHERE derivation = (SELECT id FROM afterwork_derivation WHERE name = 'Order.total') LIMIT 1) AS one"
)
DUE = (
    "INSERT INTO afterwork_due (cache, derivation, due, since) SELECT id, derivation, :now, :now FROM afterwork_cache"
    " WHERE root LIKE 'Order!1000%' AND id NOT IN (SELECT cache FROM afterwork_due)"
)
NEW = "FROM afterwork_cache WHERE id NOT IN (SELECT cache FROM afterwork_manifest)"
READS = f"(CAST(1 AS bigint) << {KEY_BITS}) | (:far + id)"
MANIFESTS = {
    "postgresql": [f"INSERT INTO afterwork_manifest (cache, read_keys) SELECT id, ARRAY[{READS}] {NEW}"],
    "sqlite": [
        f"INSERT INTO afterwork_read (read_key, cache) SELECT {READS}, id {NEW}",
        "INSERT INTO afterwork_manifest (cache, read_keys)"
        f" SELECT id, (SELECT read_keys FROM afterwork_manifest LIMIT 1) {NEW}",
    ],
}


def fill(connection: Connection, begun: int, more: int) -> None:
    """So many tickets, matches and caches more than the `begun` that there are."""
    now = datetime(2026, 11, 1, 12, tzinfo=UTC)
    given = {"count": more, "begun": begun, "far": FAR + begun, "now": now, "later": now.replace(year=2999)}
    for statement in (TICKETS, HITS, CACHES, DUE, *MANIFESTS[connection.dialect.name]):
        moments = [
            bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "later") if f":{name}" in statement
        ]
        named = {name: given[name] for name in given if f":{name}" in statement}
        connection.execute(text(statement).bindparams(*moments), named)


def costs(engine: Engine) -> Mapping[str, int]:
    """What each page costs the database."""
    client = client_of(aw.web(app, engine))

    def see(path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])

    for path in PAGES:
        see(path)  # what is found out once
    return {path: effort(engine, lambda path=path: see(path)) for path in PAGES}  # type: ignore[misc]


@pytest.fixture
def shop(engine: Engine) -> Engine:
    """A shop in which much goes on."""
    create(engine)
    app.install(engine)
    scenes.busy(engine)
    return engine


@ON_BOTH
def test_no_page_costs_more_because_there_is_more(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "COUNT_SECONDS", 0.0)  # each page counts for its menu, not just any of them
    monkeypatch.setattr(gauges, "MAX_COUNTED", COUNTED)
    monkeypatch.setattr(walk, "LOOKED_AT", COUNTED)
    for module in (bounded_count, caches, object_states, status, timers):
        monkeypatch.setattr(module, "BOUND", COUNTED)
    found, begun = list[Mapping[str, int]](), 0
    for more in (COUNTED * 5, COUNTED * 10):
        with shop.begin() as connection:
            fill(connection, begun, more)
        begun += more
        with shop.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE"))
        found.append(costs(shop))
    few, many = found
    assert {path: (few[path], cost) for path, cost in many.items() if cost > 1.15 * few[path] + 200} == {}
