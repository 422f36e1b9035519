"""The bare job: the same code, run by hand on the customer of the line, with the best eager loading and no tracking."""

import time

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, selectinload

from benchmarks.cache.drivers.driver import Driver, customer_of, main
from benchmarks.cache.drivers.raw import CHANGE, Raw, sqlalchemy_url
from benchmarks.cache.model import Customer, Order

EAGER = select(Customer).options(selectinload(Customer.orders).selectinload(Order.lines))


class Bare(Driver):
    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.raw = Raw(database)
        self.engine = create_engine(sqlalchemy_url(database))

    def setup(self) -> None:
        """Prepare nothing: the job runs when it is called."""

    def change(self, line: int, quantity: int) -> float:
        began = time.perf_counter()
        self.raw(CHANGE, quantity, line)
        with Session(self.engine) as session, session.begin():
            run(session, customer_of(line))
        return time.perf_counter() - began


def run(session: Session, customer_id: int) -> None:
    customer = session.scalars(EAGER.where(Customer.id == customer_id)).one()
    customer.total = customer.compute_total()


if __name__ == "__main__":
    main(Bare)
