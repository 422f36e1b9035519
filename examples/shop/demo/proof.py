"""The proof that derived values are right: plain SQL recalculates all of them, from the rows alone."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import DateTime, Engine, bindparam, text

AMOUNTS = "SELECT order_id, sum(quantity * price) AS total FROM order_line GROUP BY order_id"
PAID = "SELECT order_id, sum(amount) AS paid FROM payment GROUP BY order_id"

RECOMPUTED = {
    "Order.total": f"""
        SELECT o.id, o.total AS stored, coalesce(a.total, 0) AS calculated
        FROM customer_order o LEFT JOIN ({AMOUNTS}) a ON a.order_id = o.id""",
    "Customer.total": f"""
        SELECT c.id, c.total AS stored, coalesce(t.total, 0) AS calculated
        FROM customer c LEFT JOIN (
            SELECT o.customer_id, sum(a.total) AS total
            FROM customer_order o JOIN ({AMOUNTS}) a ON a.order_id = o.id GROUP BY o.customer_id
        ) t ON t.customer_id = c.id""",
    "Product.stock": """
        SELECT p.id, p.stock AS stored, coalesce(d.received, 0) - coalesce(l.sold, 0) AS calculated
        FROM product p
        LEFT JOIN (SELECT product_id, sum(quantity) AS received FROM delivery GROUP BY product_id) d
            ON d.product_id = p.id
        LEFT JOIN (SELECT product_id, sum(quantity) AS sold FROM order_line GROUP BY product_id) l
            ON l.product_id = p.id""",
    "Order.overdue": f"""
        SELECT o.id, CASE WHEN o.overdue THEN 1 ELSE 0 END AS stored,
            CASE WHEN o.due <= :now AND coalesce(p.paid, 0) < coalesce(a.total, 0) THEN 1 ELSE 0 END AS calculated
        FROM customer_order o
        LEFT JOIN ({AMOUNTS}) a ON a.order_id = o.id
        LEFT JOIN ({PAID}) p ON p.order_id = o.id""",
}
"""A query for each derived member: the value stored in each object, and the right one. Amounts are in cents."""


@dataclass(frozen=True)
class Proof:
    """The number of values that were compared, and of those that are wrong, with some of them as text."""

    values: int
    wrong: int
    examples: list[str]


def prove(engine: Engine) -> Proof:
    """Compare all stored values with the right ones."""
    now = bindparam("now", datetime.now(UTC).replace(tzinfo=None), DateTime)
    values, wrong, examples = 0, 0, []
    with engine.connect() as connection:
        for name, query in RECOMPUTED.items():
            given = [now] if ":now" in query else []
            values += connection.execute(text(f"SELECT count(*) FROM ({query}) r").bindparams(*given)).scalar_one()
            differing = text(f"SELECT * FROM ({query}) r WHERE stored <> calculated ORDER BY id").bindparams(*given)
            found = connection.execute(differing).all()
            wrong += len(found)
            examples += [f"{name} of {row.id} is {row.stored}, but {row.calculated} by SQL." for row in found[:3]]
    return Proof(values, wrong, examples)
