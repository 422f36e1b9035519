"""SQL by hand: the transaction that changes lines recomputes the totals of their customers, by the quickest statements.

With `LEVELS` in the environment, it recomputes the amounts of lines and the totals of orders first.
"""

import os
import time

from benchmarks.cache.drivers.driver import main
from benchmarks.cache.drivers.raw import BULK, CHANGE
from benchmarks.cache.drivers.writer import Writer
from benchmarks.cache.place import REFRESH

ONE = (
    "UPDATE customer SET total = (SELECT coalesce(sum(l.quantity * l.price), 0) FROM customer_order o"
    " JOIN line l ON l.order_id = o.id WHERE o.customer_id = customer.id)"
    " WHERE id = (SELECT o.customer_id FROM line l JOIN customer_order o ON o.id = l.order_id WHERE l.id = %s)"
)
AMOUNTS = "UPDATE line SET amount = quantity * price WHERE amount <> quantity * price"
SUMS = (
    "UPDATE {whole} SET total = truth.total"
    " FROM (SELECT {link} AS id, sum({part}) AS total FROM {parts} GROUP BY {link}) AS truth"
    " WHERE truth.id = {whole}.id AND {whole}.total <> truth.total"
)
OF_ORDERS = SUMS.format(whole="customer", link="customer_id", part="total", parts="customer_order")
OF_LINES = SUMS.format(whole="customer_order", link="order_id", part="quantity * price", parts="line")
OF_AMOUNTS = SUMS.format(whole="customer_order", link="order_id", part="amount", parts="line")
BY_LEVELS = {1: (REFRESH,), 2: (OF_LINES, OF_ORDERS), 3: (AMOUNTS, OF_AMOUNTS, OF_ORDERS)}


class ByHand(Writer):
    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.recomputation = BY_LEVELS[int(os.environ.get("LEVELS", "1"))]

    def setup(self) -> None:
        """Make all amounts and totals right."""
        self.recompute()

    def change(self, line: int, quantity: int) -> float:
        began = time.perf_counter()
        with self.raw.transaction():
            self.raw(CHANGE, quantity, line)
            self.raw(ONE, line)
        return time.perf_counter() - began

    def bulk(self, step: int) -> list[float]:
        """Change each line whose number `step` divides. Returns the seconds of the statement, and those until all
        totals are right."""
        began = time.perf_counter()
        with self.raw.transaction():
            self.raw(BULK, step)
            updated = time.perf_counter() - began
            self.recompute()
        return [updated, time.perf_counter() - began]

    def recompute(self) -> None:
        for statement in self.recomputation:
            self.raw(statement)


if __name__ == "__main__":
    main(ByHand)
