"""The most frequent evaluations cost little: calls are counted, as each takes time that Python's own loop doesn't."""

import sys
from collections.abc import Callable
from types import FrameType

from afterwork.language.query import compile_query
from tests.support.language.model import Customer, names


def calls_of(evaluation: Callable[[], object]) -> list[str]:
    """Return the functions of the language that one evaluation calls."""
    called: list[str] = []

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and "afterwork/language" in frame.f_code.co_filename.replace("\\", "/"):
            called.append(frame.f_code.co_name)

    sys.setprofile(on_event)
    try:
        evaluation()
    finally:
        sys.setprofile(None)
    return called


def test_a_guard_over_no_elements_takes_eight_calls() -> None:
    guard = compile_query("self.Orders->exists(o | o.Total > 100)", names(), Customer)
    customer = Customer(orders=[])

    called = calls_of(lambda: guard(customer))

    assert called == ["__call__", "_evaluate", "__init__", "loop", "several", "get_of_variable", "spend", "exists"]
