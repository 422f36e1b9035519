"""What it costs the database to answer, in steps of its own: they don't depend on how busy the machine is."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event


def effort(engine: Engine, ask: Callable[[], object]) -> int:
    """What all statements of a question cost: rows looked at by PostgreSQL, steps of SQLite's machine."""
    return _steps(engine, ask) if engine.dialect.name == "sqlite" else _rows(engine, ask)


def _steps(engine: Engine, ask: Callable[[], object]) -> int:
    counted: list[None] = []

    def count(driver: Any, *_: Any) -> None:
        driver.set_progress_handler(lambda: counted.append(None), 100)

    event.listen(engine, "checkout", count)
    try:
        ask()
    finally:
        event.remove(engine, "checkout", count)
        engine.dispose()
    return len(counted)


def _rows(engine: Engine, ask: Callable[[], object]) -> int:
    sent: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        for way in ("seqscan", "hashjoin", "mergejoin"):  # which is cheaper for few rows, and must not be the only way
            connection.exec_driver_sql(f"SET enable_{way} = off")
        return sum(
            _touched(connection, *statement)
            for statement in sent
            if statement[0].lstrip().startswith(("SELECT", "WITH"))
        )


def _touched(connection: Connection, statement: str, parameters: Any) -> int:
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
    return _of_node(explained.scalar_one()[0]["Plan"])


def _of_node(node: dict[str, Any]) -> int:
    """Rows that a node of a plan and those below it gave on or threw away, each time that they were asked."""
    own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(own * node["Actual Loops"]) + sum(_of_node(below) for below in node.get("Plans", ()))
