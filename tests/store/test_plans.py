"""What the statements on the ticket table cost: nothing that has ended is read again, and nothing is sorted."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from afterwork.model.priority import LOWEST_PRIORITY
from afterwork.store.tickets.rows import ClaimRequest, EndedTicket, TicketRow
from afterwork.store.tickets.statements import Tickets
from tests.conftest import Shop
from tests.store.plan_scene import effort, fill, sent
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


ON_KEYS: dict[str, Callable[[Tickets, Connection, Shop, list[TicketRow]], object]] = {
    "ended as a batch": lambda tickets, connection, shop, rows: tickets.end_batch(
        connection, [EndedTicket(row, 10, None) for row in rows], shop.clock.now(), "main"
    ),
    "still in place": lambda tickets, connection, shop, rows: tickets.in_place(
        connection, rows, shop.clock.now(), "main"
    ),
    "as claimed": lambda tickets, connection, shop, rows: tickets.rows(
        connection, [row.key for row in rows], shop.clock.now(), "main", LOWEST_PRIORITY
    ),
}


@pytest.mark.parametrize("has_statistics", [True, False])
@pytest.mark.parametrize("name", ON_KEYS)
def test_claimed_tickets_are_found_by_their_keys_however_many_wait_in_their_lane(
    the_shop: Shop, name: str, has_statistics: bool
) -> None:
    tickets = Tickets(the_shop.app.model.contract, the_shop.engine.dialect.name)

    def efforts_with(pending: int) -> int:
        fill(the_shop, ended=0, pending=pending, has_statistics=has_statistics)
        the_shop.engine.dispose()  # a connection of SQLite keeps the statistics that it has read
        with the_shop.engine.begin() as connection:
            request = ClaimRequest("main", None, the_shop.clock.now(), 20)
            rows = tickets.claim_due(connection, request, "alone")
            assert len(rows) == 20
            return effort(connection, lambda: ON_KEYS[name](tickets, connection, the_shop, rows))

    few, many = efforts_with(300), efforts_with(3_000)
    assert many < 2 * few + 100


def test_the_indexes_leave_the_applications_own_metadata_alone(the_shop: Shop) -> None:
    assert not SysAsyncTicket.__table__.indexes  # type: ignore[attr-defined]
