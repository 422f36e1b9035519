"""The speed of expressions: `python benchmarks/language.py`.

A guard, `self.Orders->exists(o | o.Total > 100)`, is compared with the same written in Python (needed: at most 3 times
as long), for a customer with no orders, with few and with many. Then short expressions are parsed, none of them twice
(needed: 20,000 a minute), and parsed, checked and compiled.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

TEXT = "self.Orders->exists(o | o.Total > 100)"
MOST_TIMES = 3.0
A_MINUTE = 20_000
SHORT = (
    "self.name = 'customer {}'",
    "self.orders->exists(o | o.total > {})",
    "Order.allInstances->select((total > {}) and paid)->size",
    "if self.number > {} then 'much' else 'little' endif",
    "let x = {} in x * 2 + self.number",
)


def seconds(works: Sequence[Callable[[], object]], times: int) -> list[float]:
    """Return the time of one call of each: the best of 30 measurements, alternating, so that all meet the same load."""
    found = [math.inf] * len(works)
    for _ in range(30):
        for index, work in enumerate(works):
            began = time.perf_counter()
            for _ in range(times):
                work()
            found[index] = min(found[index], (time.perf_counter() - began) / times)
    return found


def guard(customer: Any) -> bool:
    """Return the guard's value, in Python."""
    return any(order.total > 100 for order in customer.orders)


def guards() -> bool:
    """Measure the guard. Returns whether it is quick enough."""
    from afterwork.language.query import compile_query
    from afterwork.language.typed.names import Names
    from tests.support.language.model import Base, Customer, Order

    exceeds = compile_query(TEXT, Names.of(Base), Customer)
    met = True
    for count in (0, 1, 10, 1000):
        customer = Customer(orders=[Order(total=Decimal(50)) for _ in range(count)])
        assert exceeds(customer) == guard(customer)
        ours, python = seconds([partial(exceeds, customer), partial(guard, customer)], 5_000 // (count + 10))
        met = met and ours <= MOST_TIMES * python
        print(
            f"guard, {count:5,} orders   {ours * 1e6:8.2f} µs   Python {python * 1e6:8.2f} µs   × {ours / python:.2f}"
        )
    return met


def parsing() -> bool:
    """Measure parsing. Returns whether it is quick enough."""
    from afterwork.language.query import compile_query
    from afterwork.language.syntax.parse import parse
    from afterwork.language.typed.names import Names
    from tests.support.language.model import Base, Customer

    names = Names.of(Base)
    parse("1")  # the grammar is read once
    texts = [text.format(number) for number in range(400) for text in SHORT]
    began = time.perf_counter()
    for text in texts:
        parse(text)
    read = time.perf_counter()
    for text in texts:
        compile_query(text, names, Customer)
    ready = time.perf_counter()
    a_minute = len(texts) / (read - began) * 60
    print(f"parsed                {a_minute:12,.0f} short expressions a minute (needed: {A_MINUTE:,})")
    print(f"checked and compiled  {len(texts) / (ready - read) * 60:12,.0f} a minute")
    return a_minute >= A_MINUTE


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    return 0 if guards() & parsing() else 1


if __name__ == "__main__":
    sys.exit(main())
