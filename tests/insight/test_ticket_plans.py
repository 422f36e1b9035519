"""What lists and counts of tickets cost: as much in a table of twenty thousand tickets as in one of two thousand."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, text

from afterwork.insight import TicketFilter
from afterwork.insight.service import Insight
from afterwork.store.tickets import walk
from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket

LOOKS: dict[str, Callable[[Insight], object]] = {
    "all": lambda insight: insight.tickets(),
    "waiting": lambda insight: insight.tickets(TicketFilter("waiting")),
    "scheduled": lambda insight: insight.tickets(TicketFilter("scheduled")),
    "failed": lambda insight: insight.tickets(TicketFilter("failed")),
    "done": lambda insight: insight.tickets(TicketFilter("done")),
    "of a root": lambda insight: insight.tickets(TicketFilter("pending", root="Customer!7")),
    "with an error": lambda insight: insight.tickets(TicketFilter("failed", error="nowhere")),
    "with a word": lambda insight: insight.tickets(TicketFilter(words=("nowhere",))),
    "counts": lambda insight: insight.ticket_counts(),
    "counts of a search": lambda insight: insight.ticket_counts(TicketFilter(work="nowhere")),
    "one": lambda insight: insight.ticket("1"),
    "lanes": lambda insight: insight.activity(),
}


def fill(the_shop: Shop, count: int) -> None:
    """So many tickets of each kind: the failed ones are the oldest, then come those that wait, then those that are
    done."""
    now = the_shop.clock.now()
    work = {"view_model": "Customer.assign_number", "root_id": "Customer!1", "created": now - timedelta(hours=1)}
    done = {**work, "done": now, "delete_time": now + timedelta(days=1)}
    with the_shop.engine.begin() as connection:
        for row in (
            {**done, "error": "ValueError: bad"},
            {**work, "execute_earliest": now + timedelta(hours=1)},
            work,
            done,
        ):
            connection.execute(insert(SysAsyncTicket), [row] * count)
    with the_shop.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE sys_async_ticket")
        )


def effort(engine: Engine, look: Callable[[], object]) -> int:
    """What a look costs the database: pages touched by PostgreSQL, or steps made by SQLite's machine."""
    costs: list[int] = []
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(lambda: costs.append(1), 1)
        look()
        driver.set_progress_handler(None, 1)
        return len(costs)

    def note(connection: Connection, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        if "sys_async_ticket" in statement and not statement.startswith("EXPLAIN"):
            driver = connection.connection.dbapi_connection
            with driver.cursor() as beside:  # type: ignore[union-attr]
                beside.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
                plan = beside.fetchone()[0][0]["Plan"]
            costs.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    event.listen(engine, "before_cursor_execute", note)
    look()
    event.remove(engine, "before_cursor_execute", note)
    return sum(costs)


def test_no_look_costs_more_because_there_are_more_tickets(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many tickets cost a level of an index or two, not ten times as much."""
    monkeypatch.setattr(walk, "LOOKED_AT", 200)
    insight = the_shop.app.insight(the_shop.engine)
    efforts = []
    for count in (500, 4_500):
        fill(the_shop, count)
        for look in LOOKS.values():
            look(insight)  # what is found out once
        efforts.append({name: effort(the_shop.engine, lambda look=look: look(insight)) for name, look in LOOKS.items()})  # type: ignore[misc]

    few, many = efforts
    assert {name: (few[name], cost) for name, cost in many.items() if cost > 1.6 * few[name] + 60} == {}
