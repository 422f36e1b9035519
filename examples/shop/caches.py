"""Derived values that become right after each change, whoever makes it. Run it: python examples/shop/caches.py"""

import sys
import tempfile
from pathlib import Path

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from decimal import Decimal

from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from examples.shop import Customer, Order, OrderLine, Product, app, create


def save(engine: Engine) -> None:
    """Save an order, without any totals."""
    with Session(engine) as session, session.begin():
        teapot = Product(name="Teapot, blue", price=Decimal("24.50"))
        cup = Product(name="Cup and saucer", price=Decimal("9.95"))
        lines = [OrderLine(product=p, quantity=q, price=p.price) for p, q in ((teapot, 1), (cup, 4))]
        session.add(Order(customer=Customer(name="Ann"), lines=lines))


def change(engine: Engine, statement: str) -> None:
    """Change something behind the back of SQLAlchemy, as any other program might."""
    print(f"Somebody says: {statement}")
    with engine.begin() as connection:
        connection.execute(text(statement))


def run(engine: Engine) -> None:
    """Run what is due: the caches that read something that was changed, and nothing else."""
    ran = [f"{ended.run.work} of {ended.run.root_id}" for ended in app.run_until_idle(engine)]
    print(f"  runs: {', '.join(ran) or 'nothing'}")
    with Session(engine) as session:
        ann = session.get_one(Customer, 1)
        products = session.scalars(select(Product).order_by(Product.id))
        stock = ", ".join(f"{product.name}: {product.stock}" for product in products)
        print(f"  Ann's total is {ann.total:.2f}, in stock are {stock}")


def ask(engine: Engine) -> None:
    """Ask for the reasons of a value, and for the impact of a change."""
    with Session(engine) as session:
        print("Why is it so?")
        print(app.explain(session.get_one(Customer, 1), "total"))
        print("And if the quantity of line 1 changed? Then these would run again:")
        for reader in app.impact(session.get_one(OrderLine, 1), "quantity"):
            print(f"  {reader.name} of {reader.root_id}" + (f", through {reader.through}" if reader.through else ""))


def main(engine: Engine) -> None:
    create(engine)
    app.install(engine)
    app.run_until_idle(engine)  # backfills an empty database, so this is quick
    save(engine)
    print("Saved: an order with two lines")
    run(engine)

    change(engine, "INSERT INTO delivery (product_id, quantity) VALUES (1, 50), (2, 50)")
    run(engine)
    change(engine, "UPDATE order_line SET quantity = 6 WHERE id = 2")
    run(engine)
    change(engine, "UPDATE customer SET name = 'Ann B.'")  # which no calculation has read
    run(engine)
    ask(engine)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(create_engine(f"sqlite:///{folder}/shop.db"))
