"""Three states of a shop, each the whole of what a page may have to show."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from examples.shop import Customer, Delivery, NumberSeries, Order, OrderLine, Product, SysAsyncTicket, app

EVIL = "<script>document.title='taken'</script>"
"""A name that would take over a page which does not escape it."""


def empty(engine: Engine) -> None:
    """Nothing is yet."""


def busy(engine: Engine) -> None:
    """Work was done, some waits, some is for later; values were calculated, some are stale; orders are on their way."""
    with Session(engine) as session, session.begin():
        products = [
            Product(name=f"Chair {n}", price=Decimal(n), deliveries=[Delivery(quantity=10)]) for n in range(1, 6)
        ]
        session.add_all(products)
        for n in range(12):
            customer = Customer(name=f"Ann {n}" if n else EVIL)
            lines = [OrderLine(product=products[n % 5], quantity=1 + n % 3, price=Decimal(10 + n))]
            session.add(Order(customer=customer, lines=lines, due=datetime.now(UTC) + timedelta(days=30)))
            aw.later(customer.assign_number)
    app.run_until_idle(engine)
    with Session(engine) as session, session.begin():
        second = session.get_one(Customer, 2)
        aw.later(second.remind)
        aw.later(second.remind, after=timedelta(days=1))
        session.get_one(OrderLine, 1).quantity = 7
    app.control(engine).pause("mail")


def failing(engine: Engine) -> None:
    """Much has gone wrong: unknown work, roots that are not there, what raised, and a timer that is paused."""
    with Session(engine) as session, session.begin():
        customer = Customer(name=EVIL)
        order = Order(customer=customer, lines=[])
        session.add_all([customer, order])
        session.flush()
        for _ in range(3):
            session.add(SysAsyncTicket(view_model="Order.refund", root_object=order))
        session.add(SysAsyncTicket(view_model=f"Customer.{EVIL}", root_object=customer))
        session.add(SysAsyncTicket(view_model="Customer.remind", root_id="Customer!404"))
        session.delete(session.get_one(NumberSeries, "customer"))
        aw.later(customer.assign_number)
    app.run_until_idle(engine)
    app.control(engine).pause("ExportOrder")
