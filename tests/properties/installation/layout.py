"""How the tables are laid out at the moment: what they and their columns are called, and of what parts they are."""

from dataclasses import dataclass, replace

TYPES = {"postgresql": ("integer", "bigint", "numeric(12,2)"), "sqlite": ("INTEGER", "BIGINT")}
YEARS = (1, 2, 3)
"""The years of orders. Where orders are kept in several tables, there is one for each year."""


@dataclass(frozen=True)
class Layout:
    """The shape of the tables. `kind` says whether orders are one table (`plain`), a partitioned one, or a parent with
    children (`inherited`); `parts` are the years that have a table of their own, `loose` those whose table is there but
    does not belong to the whole."""

    dialect: str
    kind: str = "plain"
    customers: str = "customer"
    name: str = "orders"
    schema: str | None = None
    amount: str = "amount"
    type: int = 0
    has_note: bool = True
    parts: frozenset[int] = frozenset()
    loose: frozenset[int] = frozenset()

    @property
    def orders(self) -> str:
        """The table of orders, as a statement names it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def amount_type(self) -> str:
        return TYPES[self.dialect][self.type]

    @property
    def columns(self) -> list[str]:
        """The columns of orders."""
        return ["id", "year", "customer_id", self.amount, *(["note"] if self.has_note else [])]

    @property
    def with_next_type(self) -> "Layout":
        return replace(self, type=(self.type + 1) % len(TYPES[self.dialect]))

    def part(self, year: int) -> str:
        """The table of a year's orders."""
        return f"part_{year}"

    def table_of(self, year: int) -> str:
        """Where an order of a year is written by its own name, if that is possible."""
        return self.part(year) if year in self.parts else self.orders

    def year(self, wanted: int) -> int | None:
        """A year for which the whole takes orders; the wanted one if possible, None if there is none."""
        if self.kind != "partitioned" or wanted in self.parts:
            return wanted
        return min(self.parts, default=None)


def create_customers(layout: Layout) -> str:
    """The statement that makes the table of customers."""
    return (
        f"CREATE TABLE {layout.customers} (id integer PRIMARY KEY, name text NOT NULL DEFAULT 'c',"
        " total text, label text, notes text, count integer, sum numeric)"
    )


CREATE_BILLS = "CREATE TABLE bill (id integer PRIMARY KEY, customer_id integer NOT NULL, due text, who text)"


def create_orders(layout: Layout, name: str | None = None) -> list[str]:
    """The statements that make the table of orders, with its parts."""
    made = [_table(layout, name or layout.orders)]
    return made + [statement for year in sorted(layout.parts) for statement in create_part(layout, year)]


def create_part(layout: Layout, year: int) -> list[str]:
    """The statements that make a year's table as a part of the whole."""
    part = layout.part(year)
    if layout.kind == "partitioned":
        return [f"CREATE TABLE {part} PARTITION OF {layout.orders} FOR VALUES IN ({year})"]
    return [f"CREATE TABLE {part} (PRIMARY KEY (id)) INHERITS ({layout.orders})"]


def _table(layout: Layout, name: str) -> str:
    partitioned = layout.kind == "partitioned"
    note = ", note text DEFAULT 'n'" if layout.has_note else ""
    return (
        f"CREATE TABLE {name} (id integer NOT NULL, year integer NOT NULL, customer_id integer,"
        f" {layout.amount} {layout.amount_type} NOT NULL{note},"
        f" PRIMARY KEY ({'id, year' if partitioned else 'id'})){' PARTITION BY LIST (year)' if partitioned else ''}"
    )
