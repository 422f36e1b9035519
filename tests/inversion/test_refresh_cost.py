"""What a step costs that has more objects than it may compute: the database expects few, and must not compare each with
each."""

from typing import Any

import pytest
from sqlalchemy import event

from afterwork.store.postgresql.refresh import PostgreSQLRefresh
from tests.inversion.scene import Market
from tests.support.marks import ONLY_POSTGRESQL


@ONLY_POSTGRESQL
@pytest.mark.parametrize("objects", [400, 1600])
def test_objects_that_are_left_for_the_next_step_are_told_from_the_others_at_once(
    market: Market, monkeypatch: pytest.MonkeyPatch, objects: int
) -> None:
    market.fill(customers=1, orders=objects, lines=1)
    monkeypatch.setattr(PostgreSQLRefresh, "max_objects", objects // 2)
    compared: list[int] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "/* many */" in statement:
            driver = connection.connection.dbapi_connection
            with driver.transaction(force_rollback=True):
                explained = driver.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                compared.append(in_vain(explained.fetchone()[0][0]["Plan"]))

    event.listen(market.engine, "before_cursor_execute", explain)
    market.sql("UPDATE line SET price = price + 1")
    market.run()

    assert len(compared) >= 2
    assert max(compared) <= objects


def in_vain(node: dict[str, Any]) -> int:
    """The pairs of rows that a node of a plan and those below it compared and did not join."""
    own = node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]
    return int(own) + sum(in_vain(below) for below in node.get("Plans", ()))
