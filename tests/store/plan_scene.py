"""Many tickets, and what a look at them costs the database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, event, insert, text

from tests.conftest import Shop
from tests.support.shop import SysAsyncTicket


def fill(the_shop: Shop, ended: int, pending: int, *, has_statistics: bool = True) -> None:
    """Tickets of which most have ended, as a database has them that has been in use for long."""
    now = the_shop.clock.now()
    work = {"view_model": "Customer.assign_number", "root_id": "Customer!1", "created": now - timedelta(hours=1)}
    with the_shop.engine.begin() as connection:
        done = {**work, "done": now, "delete_time": now + timedelta(days=1)}
        if ended:
            connection.execute(insert(SysAsyncTicket), [done] * ended)
        connection.execute(insert(SysAsyncTicket), [work] * pending)
        if has_statistics:
            connection.execute(text("ANALYZE"))


def sent(connection: Connection, look: Callable[[], object]) -> tuple[str, Any]:
    """The one statement that a look sends, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    look()
    event.remove(connection, "before_cursor_execute", note)
    (only,) = statements
    return only


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
