"""Unique numbers without gaps, two ways. Run it: python examples/shop/numbers.py"""

import sys
import tempfile
from pathlib import Path

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Customer, Order, SysAsyncTicket, app, create


def save(engine: Engine) -> None:
    """Save customers and their tickets in one transaction: both or neither."""
    with Session(engine) as session, session.begin():
        ann, bob, eve = Customer(name="Ann"), Customer(name="Bob"), Customer(name="Eve")
        session.add_all([ann, bob, eve])
        order = Order(customer=ann)
        session.add(order)

        # A ticket is a row. It can name a method …
        session.add(SysAsyncTicket(view_model="Customer.assign_number", root_object=ann))
        # … or a view model.
        session.add(SysAsyncTicket(view_model=Customer.ViewModels.TheCustomerNumberAssigner, root_object=bob))
        # And this is the short way to say it. A type checker knows what it takes.
        aw.later(eve.assign_number)
        aw.later(order.assign_number)


def show(engine: Engine) -> None:
    with Session(engine) as session:
        for customer in session.scalars(select(Customer).order_by(Customer.id)):
            orders = "".join(f", with order number {order.number or '(none yet)'}" for order in customer.orders)
            print(f"  {customer.name} has number {customer.number or '(none yet)'}{orders}")


def main(engine: Engine) -> None:
    create(engine)
    print(f"Afterwork prepares the database, in {len(app.install(engine))} steps.")

    save(engine)
    print("Saved, with tickets, in one transaction:")
    show(engine)

    print("All that is due runs:")
    for ended in app.run_until_idle(engine):
        if ended.run.work in app.model.works:  # asked for; calculated values ran, too: see caches.py
            print(f"  {ended.run.work} on {ended.run.root_id}")

    print("And afterwards:")
    show(engine)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(create_engine(f"sqlite:///{folder}/shop.db"))
