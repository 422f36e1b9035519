"""Triggers by hand, as an extension for incremental views would make them: each UPDATE of lines adds to the totals what
it has changed.

They follow updates of lines only. To follow everything else that changes a total takes more of them.
"""

from benchmarks.cache.drivers.driver import main
from benchmarks.cache.drivers.writer import Writer

ON_POSTGRESQL = (
    """
    CREATE FUNCTION add_to_totals() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        UPDATE customer SET total = customer.total + delta.amount
        FROM (
            SELECT o.customer_id AS id, sum(part.amount) AS amount
            FROM (
                SELECT order_id, quantity * price AS amount FROM after_it
                UNION ALL SELECT order_id, - quantity * price FROM before_it
            ) AS part JOIN customer_order o ON o.id = part.order_id GROUP BY o.customer_id
        ) AS delta WHERE delta.id = customer.id AND delta.amount <> 0;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER add_to_totals AFTER UPDATE ON line REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it"
    " FOR EACH STATEMENT EXECUTE FUNCTION add_to_totals()",
)
ADD = (
    " UPDATE customer SET total = total {sign} {side}.quantity * {side}.price"
    " WHERE id = (SELECT customer_id FROM customer_order WHERE id = {side}.order_id);"
)
ON_SQLITE = (
    "CREATE TRIGGER add_to_totals AFTER UPDATE OF quantity, price, order_id ON line BEGIN"
    f"{ADD.format(sign='-', side='OLD')}{ADD.format(sign='+', side='NEW')} END",
)


class Triggers(Writer):
    def setup(self) -> None:
        """Create the triggers."""
        for statement in ON_SQLITE if self.raw.is_sqlite else ON_POSTGRESQL:
            self.raw(statement)


if __name__ == "__main__":
    main(Triggers)
