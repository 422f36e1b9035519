"""How fast expressions are: `python benchmarks/language.py`.

A guard, `self.Orders->exists(o | o.Total > 100)`, is compared with the same written in Python (needed: at most 3 times
as long), for a customer with few orders and for one with many. Then short expressions are parsed, none of them twice
(needed: 20,000 a minute), and parsed, checked and compiled.
"""

import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
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


def seconds(work: Callable[[], object], times: int) -> float:
    """The median of 7 measurements, each of so many calls, for one call."""
    found = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - began) / times)
    return median(found)


def guard(customer: Any) -> bool:
    """What the guard says, in Python."""
    return any(order.total > 100 for order in customer.orders)


def guards() -> bool:
    """Measure the guard. Returns whether it is as quick as it must be."""
    from afterwork.language import Names, compile_query
    from tests.language.model import Base, Customer, Order

    exceeds = compile_query(TEXT, Names.of(Base), Customer)
    met = True
    for count in (0, 1, 10, 1000):
        customer = Customer(orders=[Order(total=Decimal(50)) for _ in range(count)])
        assert exceeds(customer) == guard(customer)
        times = 20_000 // (count + 10)
        ours, python = seconds(partial(exceeds, customer), times), seconds(partial(guard, customer), times)
        met = met and (ours <= MOST_TIMES * python or count < 10)
        print(
            f"guard, {count:5,} orders   {ours * 1e6:8.2f} µs   Python {python * 1e6:8.2f} µs   × {ours / python:.2f}"
        )
    return met


def parsing() -> bool:
    """Measure reading. Returns whether it is as quick as it must be."""
    from afterwork.language import Names, compile_query, parse
    from tests.language.model import Base, Customer

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
