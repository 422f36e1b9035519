"""The states of orders, and the proof that none is stuck: in plain SQL, from the rows alone."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from examples.shop import Order, OrderFlow
from examples.shop.demo.proof import AMOUNTS, PAID

PRODUCTS = """
    SELECT p.id, coalesce(d.received, 0) - coalesce(r.quantity, 0) AS free
    FROM product p
    LEFT JOIN (SELECT product_id, sum(quantity) AS received FROM delivery GROUP BY product_id) d
        ON d.product_id = p.id
    LEFT JOIN (SELECT product_id, sum(quantity) AS quantity FROM reservation GROUP BY product_id) r
        ON r.product_id = p.id"""
WANTED = "SELECT order_id, product_id, sum(quantity) AS quantity FROM order_line GROUP BY order_id, product_id"
SHORT = f"SELECT w.order_id FROM ({WANTED}) w JOIN ({PRODUCTS}) f ON f.id = w.product_id WHERE w.quantity > f.free"

COULD_GO_ON = {
    "has not begun": "SELECT id FROM customer_order WHERE state IS NULL",
    "is a cart, but paid": f"""
        SELECT o.id FROM customer_order o JOIN ({AMOUNTS}) a ON a.order_id = o.id JOIN ({PAID}) p ON p.order_id = o.id
        WHERE o.state = 'cart' AND a.total > 0 AND p.paid >= a.total""",
    "waits for what is in stock": f"""
        SELECT id FROM customer_order WHERE state = 'paid' AND id NOT IN ({SHORT})""",
    "is to be packed": "SELECT id FROM customer_order WHERE state = 'reserved'",
}
"""A query for each state with a transition that waits for nobody: the orders that could take it and have not."""

MISCOUNTED = """
    SELECT p.id, p.reserved, coalesce(sum(r.quantity), 0) AS counted
    FROM product p LEFT JOIN reservation r ON r.product_id = p.id
    GROUP BY p.id, p.reserved HAVING p.reserved <> coalesce(sum(r.quantity), 0)"""


def standing(engine: Engine) -> Mapping[str, int]:
    """Count the orders in each state, in the order of the states."""
    with Session(engine) as session:
        counted = select(Order.state, func.count()).where(Order.state.is_not(None)).group_by(Order.state)
        found = {state: count for state, count in session.execute(counted) if state is not None}
    return {state.id: found.get(state.id, 0) for state in OrderFlow.states}


def stuck(engine: Engine) -> Iterator[str]:
    """Yield orders that could go on and have not, and products whose reserved number differs from their orders'."""
    with engine.connect() as connection:
        for what, query in COULD_GO_ON.items():
            for (number,) in connection.execute(text(f"{query} ORDER BY id LIMIT 3")):
                yield f"Order {number} {what}."
        for row in connection.execute(text(f"{MISCOUNTED} ORDER BY p.id LIMIT 3")):
            yield f"Product {row.id} has {row.reserved} reserved, but {row.counted} by SQL."


def in_words(standing: Mapping[str, int]) -> str:
    """Return the states that have orders, as text: `cart 12, paid 3`."""
    return ", ".join(f"{state} {count:,}" for state, count in standing.items() if count)
