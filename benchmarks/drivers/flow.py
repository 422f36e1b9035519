"""Afterwork, whose tickets are a fan-out with one join, in the transaction that asks for all of them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

import afterwork as aw
from benchmarks.drivers.afterwork import Afterwork
from benchmarks.drivers.driver import main
from benchmarks.support.model import Customer


class FanOut(Afterwork):
    def enqueue(self, count: int) -> None:
        with Session(self.engine) as session, session.begin():
            customers = session.scalars(select(Customer).where(Customer.id <= count).order_by(Customer.id)).all()
            many = aw.later_many(customer.assign_number for customer in customers)
            aw.after(many, customers[0].touch)


if __name__ == "__main__":
    main(FanOut)
