"""What is asked most often costs little: calls are counted, since each takes time that Python's own loop doesn't."""

import sys
from collections.abc import Callable
from types import FrameType

from afterwork.language import compile_query
from tests.language.model import Customer, names


def calls_of(asked: Callable[[], object]) -> list[str]:
    """The functions of the language that one evaluation calls."""
    found: list[str] = []

    def seen(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and "afterwork/language" in frame.f_code.co_filename.replace("\\", "/"):
            found.append(frame.f_code.co_name)

    sys.setprofile(seen)
    try:
        asked()
    finally:
        sys.setprofile(None)
    return found


def test_a_guard_over_nothing_is_the_call_the_loop_and_the_end() -> None:
    guard = compile_query("self.Orders->exists(o | o.Total > 100)", names(), Customer)
    customer = Customer(orders=[])

    called = calls_of(lambda: guard(customer))

    assert called == ["__call__", "_evaluate", "__init__", "loop", "several", "get_of_variable", "spend", "exists"]
