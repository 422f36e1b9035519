"""Whatever is written, in any order: the routes of an expression lead to each object whose value changes, a refresh
makes all values right, and what no expression reads touches nothing."""

from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine

from tests.properties.conftest import examples
from tests.properties.market_writes import Market, Writes


def test_each_object_whose_value_changes_is_touched_and_becomes_right(engine: Engine) -> None:
    market = Market(engine)
    run_state_machine_as_test(
        type("Machine", (Writes,), {"market": market}),
        settings=examples(one_in=10),
    )
