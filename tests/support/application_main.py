"""An application in a process of its own, which saves a customer with a ticket, and then waits before it commits."""

import signal
import sys

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import afterwork as aw
from tests.support.numbers import Customer, journal


def main() -> None:
    with Session(create_engine(sys.argv[1])) as session:
        customer = Customer()
        session.add(customer)
        aw.later(customer.assign_number)
        session.flush()
        journal().note("flushed")
        signal.pause()


if __name__ == "__main__":
    main()
