"""Where changes may have been missed, each value that runs again for that says of which table, when and why."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from afterwork.derived.cause import Cause
from tests.capture.continuity_scene import Place, opened


def because(place: Place) -> Cause:
    """Why the total ran last, as `explain` says."""
    cause = place.app.insight(place.engine).explain("Customer!1", "total").because
    assert cause is not None
    return cause


def lose(place: Place, table: str, event: str = "update") -> None:
    """Take a trigger away."""
    number = {"customer": 1, "orders": 2}[table]
    if place.engine.dialect.name == "sqlite":
        place.sql(f"DROP TRIGGER afterwork_{number}_{event}")
    else:
        place.sql(f"DROP TRIGGER afterwork_{number}_{event} ON {table}")


@pytest.mark.parametrize("installed", [False, True], ids=["a server notices", "an installation notices"])
@pytest.mark.parametrize("tables", [["orders"], ["customer"], ["customer", "orders"]], ids=", ".join)
def test_it_says_of_which_tables_changes_may_have_been_missed_when_and_why(
    engine: Engine, tables: list[str], installed: bool
) -> None:
    place = opened(engine)
    before = datetime.now(UTC)
    for table in tables:
        lose(place, table)

    if installed:
        place.install()
    assert place.run() == ["Customer.total Customer!1"]

    found = because(place)
    assert (found.kind, found.table) == ("gap", ", ".join(tables))
    assert found.moment is not None
    assert before <= found.moment <= datetime.now(UTC)
    assert (found.why or "").count(" is missing") == len(tables)
    assert f"changes of {found.table} may have been missed: " in str(found)
    (often,) = place.app.insight(engine).cache("Customer.total").causes
    assert "changes that may have been missed" in often.what


def test_what_has_run_for_that_runs_for_other_reasons_later(engine: Engine) -> None:
    place = opened(engine)
    lose(place, "orders")
    place.run()
    place.install()
    place.run()
    place.sql("UPDATE orders SET amount = 5 WHERE id = 1")
    place.run()
    assert str(because(place)) == "orders 1 was changed: amount from 1 to 5"
    place.app.repair(engine)
    place.run()
    assert str(because(place)) == "repair asked for it"
    lose(place, "orders")
    place.deploy(place.base)
    assert place.run()
    assert because(place).kind == "gap"
    place.sql("UPDATE afterwork_derivation SET checksum = 'of other code'")
    place.deploy(place.base)
    assert place.run()
    assert str(because(place)) == "it was new, or its code had changed"
