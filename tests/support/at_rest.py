"""Customers with orders, and a wait until their derived values are at rest."""

from sqlalchemy import Engine, text

from tests.support.waiting import eventually

WRONG = """
SELECT (SELECT count(*) FROM orders o WHERE o.total <> coalesce(
           (SELECT sum(l.quantity * l.price) FROM line l WHERE l.order_id = o.id), 0))
     + (SELECT count(*) FROM customer c WHERE c.total <> coalesce(
           (SELECT sum(o.total) FROM orders o WHERE o.customer_id = c.id), 0))
     + (SELECT count(*) FROM customer c WHERE cast(c.total AS integer) / 100 <> (
           SELECT count(*) FROM badge b WHERE b.customer_id = c.id))
"""


def fill(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO customer (id, name, total, share, likes, overdue) VALUES "
                + ", ".join(f"({n}, 'c{n}', 0, 0, '', false)" for n in range(1, 6))
            )
        )
        connection.execute(
            text(
                "INSERT INTO orders (id, customer_id, total) VALUES "
                + ", ".join(f"({n}, {1 + n % 5}, 0)" for n in range(1, 21))
            )
        )
        connection.execute(
            text(
                "INSERT INTO line (id, order_id, quantity, price) VALUES "
                + ", ".join(f"({n}, {1 + n % 20}, {n % 7}, {n % 11})" for n in range(1, 61))
            )
        )


def _is_quiet(engine: Engine) -> bool:
    journal = "SELECT count(*) FROM afterwork_journal"
    stale = "SELECT count(*) FROM afterwork_due WHERE since IS NOT NULL"
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT ({journal}) + ({stale})")).scalar() == 0


def wrong_at_rest(engine: Engine) -> int:
    eventually(lambda: _is_quiet(engine), within=40)
    with engine.connect() as connection:
        return int(connection.execute(text(WRONG)).scalar_one())
