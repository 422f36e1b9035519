"""What the statements on the ticket table cost: nothing that has ended is read again, and nothing is sorted."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from afterwork.model.priority import LOWEST_PRIORITY
from afterwork.store.tickets.rows import ClaimRequest
from afterwork.store.tickets.statements import Tickets
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket

PENDING = "afterwork_sys_async_ticket_place"

LOOKS: dict[str, Callable[[Tickets, Connection, Shop], object]] = {
    "groups": lambda tickets, connection, shop: tickets.groups(connection),
    "due of a priority": lambda tickets, connection, shop: tickets.claim_due(
        connection, ClaimRequest("main", LOWEST_PRIORITY, shop.clock.now(), 100), "alone"
    ),
    "due first": lambda tickets, connection, shop: tickets.claim_due(
        connection, ClaimRequest("main", None, shop.clock.now(), 100), "alone"
    ),
    "due in parallel": lambda tickets, connection, shop: tickets.claim_due(
        connection, ClaimRequest("parallel", LOWEST_PRIORITY, shop.clock.now(), 1), "parallel"
    ),
    "due in a lane with slots": lambda tickets, connection, shop: tickets.claim_due(
        connection, ClaimRequest("main", None, shop.clock.now(), 1), "slots", by_rate=True
    ),
}


def fill(the_shop: Shop, ended: int, pending: int) -> None:
    """Tickets of which most have ended, as a database has them that has been in use for long."""
    now = the_shop.clock.now()
    work = {"view_model": "Customer.assign_number", "root_id": "Customer!1", "created": now - timedelta(hours=1)}
    with the_shop.engine.begin() as connection:
        done = {**work, "done": now, "delete_time": now + timedelta(days=1)}
        if ended:
            connection.execute(insert(SysAsyncTicket), [done] * ended)
        connection.execute(insert(SysAsyncTicket), [work] * pending)
        connection.execute(text("ANALYZE"))


def sent(connection: Connection, look: Callable[[], object]) -> tuple[str, Any]:
    """The one statement that a look sends, with its parameters."""
    found: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        found.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    look()
    event.remove(connection, "before_cursor_execute", note)
    (one,) = found
    return one


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of a plan of PostgreSQL."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("name", LOOKS)
def test_what_has_ended_is_not_read_again(the_shop: Shop, name: str) -> None:
    """The index on pending tickets is used, in its own order."""
    fill(the_shop, ended=20_000, pending=200)
    tickets = Tickets(the_shop.app.model.contract, the_shop.engine.dialect.name)
    with the_shop.engine.begin() as connection:
        statement, parameters = sent(connection, lambda: LOOKS[name](tickets, connection, the_shop))
        if the_shop.engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            details = [row.detail for row in rows]
            assert any(PENDING in line for line in details), details
            assert not [line for line in details if "TEMP B-TREE" in line]
            assert not [line for line in details if line.startswith("SCAN sys_async") and "INDEX" not in line]
        else:
            explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            plan = explained if isinstance(explained, list) else json.loads(explained)
            found = nodes(plan[0]["Plan"])
            assert PENDING in {node.get("Index Name") for node in found}, plan
            assert not [
                node
                for node in found
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "sys_async_ticket"
            ]
            assert not [node for node in found if node["Node Type"].endswith("Sort")], plan


def effort(connection: Connection, look: Callable[[], object]) -> int:
    """What a look costs the database: pages touched by PostgreSQL, or steps made by SQLite's machine."""
    if connection.dialect.name == "sqlite":
        steps: list[None] = []
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(lambda: steps.append(None), 1)
        look()
        driver.set_progress_handler(None, 1)
        return len(steps)
    statement, parameters = sent(connection, look)
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
    plan = explained.scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("name", ["groups", "due first"])
def test_a_look_costs_the_same_with_ten_or_ten_thousand_pending(the_shop: Shop, name: str) -> None:
    tickets = Tickets(the_shop.app.model.contract, the_shop.engine.dialect.name)

    def look(connection: Connection) -> object:
        if name == "groups":
            return tickets.groups(connection)
        return tickets.claim_due(connection, ClaimRequest("main", None, the_shop.clock.now(), 10), "alone")

    efforts = []
    for pending in (10, 10_000):
        fill(the_shop, ended=0, pending=pending)
        with the_shop.engine.begin() as connection:
            look(connection)
            efforts.append(effort(connection, lambda: look(connection)))

    few, many = efforts
    assert many < 2 * few + 20


def test_the_indexes_leave_the_applications_own_metadata_alone(the_shop: Shop) -> None:
    assert not SysAsyncTicket.__table__.indexes  # type: ignore[attr-defined]
