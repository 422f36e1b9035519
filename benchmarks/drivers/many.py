"""Afterwork, whose method reads and locks the series by a SELECT each time: the work of `benchmarks.drivers.afterwork`.

With MANY=1 in the environment, the method has a function for many as well, with one SELECT for all.
"""

import os
import time
from collections.abc import Sequence

from sqlalchemy import select, update

import afterwork as aw
from benchmarks.drivers.afterwork import Afterwork
from benchmarks.drivers.driver import main
from benchmarks.support.model import Customer, NumberSeries

SERIES = select(NumberSeries).where(NumberSeries.name == "customer").with_for_update()


def assign_number(customer: Customer) -> None:
    series = aw.session(customer).scalars(SERIES).one()
    series.last += 1
    customer.number, customer.at = series.last, time.time()


def assign_numbers(customers: Sequence[Customer]) -> None:
    session, at = aw.session(customers[0]), time.time()
    series = session.scalars(SERIES).one()
    numbers = enumerate(customers, series.last + 1)
    session.execute(update(Customer), [{"id": customer.id, "number": n, "at": at} for n, customer in numbers])
    series.last += len(customers)


if __name__ == "__main__":
    Customer.assign_number.function = assign_number
    if os.environ.get("MANY"):
        Customer.assign_number.many(assign_numbers)
    main(Afterwork)
