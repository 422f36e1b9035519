"""What migrations do to the tables. Each is a function that alters them within a transaction, and returns how they are
laid out from then on; None if there is nothing of the kind to do."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from tests.properties.installation.layout import Layout, create_orders, create_part
from tests.properties.installation.writes import insert_order, run

Migration = Callable[[Connection, Layout, int], Layout | None]

MIGRATIONS: dict[str, Migration] = {}


def _migration(
    *dialects: str, kinds: tuple[str, ...] = ("plain", "partitioned", "inherited")
) -> Callable[[Migration], Migration]:
    def note(do: Migration) -> Migration:
        def guarded(connection: Connection, layout: Layout, year: int) -> Layout | None:
            if layout.dialect not in (dialects or ("sqlite", "postgresql")) or layout.kind not in kinds:
                return None
            return do(connection, layout, year)

        MIGRATIONS[do.__name__.strip("_").replace("_", " ")] = guarded
        return do

    return note


# Names.


@_migration()
def _rename_orders(connection: Connection, layout: Layout, year: int) -> Layout:
    new = "purchase" if layout.name == "orders" else "orders"
    run(connection, f"ALTER TABLE {layout.orders} RENAME TO {new}")
    return replace(layout, name=new)


@_migration()
def _rename_customers(connection: Connection, layout: Layout, year: int) -> Layout:
    new = "client" if layout.customers == "customer" else "customer"
    run(connection, f"ALTER TABLE {layout.customers} RENAME TO {new}")
    return replace(layout, customers=new)


@_migration()
def _rename_amount(connection: Connection, layout: Layout, year: int) -> Layout:
    new = "cost" if layout.amount == "amount" else "amount"
    layout = _without_loose(connection, layout)
    run(connection, f"ALTER TABLE {layout.orders} RENAME COLUMN {layout.amount} TO {new}")
    return replace(layout, amount=new)


@_migration("postgresql")
def _move_to_another_schema(connection: Connection, layout: Layout, year: int) -> Layout:
    new = "sales" if layout.schema is None else None
    run(connection, "CREATE SCHEMA IF NOT EXISTS sales")
    run(connection, f"ALTER TABLE {layout.orders} SET SCHEMA {new or 'public'}")
    return replace(layout, schema=new)


# Columns.


@_migration()
def _add_or_drop_note(connection: Connection, layout: Layout, year: int) -> Layout:
    layout = _without_loose(connection, layout)
    if not layout.has_note:
        run(connection, f"ALTER TABLE {layout.orders} ADD COLUMN note text DEFAULT 'n'")
        return replace(layout, has_note=True)
    if layout.dialect == "sqlite":
        return _rebuilt(connection, layout, replace(layout, has_note=False), layout.amount)
    run(connection, f"ALTER TABLE {layout.orders} DROP COLUMN note")
    return replace(layout, has_note=False)


@_migration()
def _retype_amount(connection: Connection, layout: Layout, year: int) -> Layout:
    """To another type of number, with other values."""
    layout = _without_loose(connection, layout)
    new, value = layout.with_next_type, f"{layout.amount} + 10"
    if layout.dialect == "sqlite":
        return _rebuilt(connection, layout, new, value)
    run(connection, f"ALTER TABLE {layout.orders} ALTER COLUMN {layout.amount} TYPE {new.amount_type} USING {value}")
    return new


@_migration("sqlite")
def _rebuild_orders(connection: Connection, layout: Layout, year: int) -> Layout:
    """As Alembic's batch mode does it."""
    return _rebuilt(connection, layout, layout, layout.amount)


# Tables.


@_migration(kinds=("plain",))
def _put_another_table_in_its_place(connection: Connection, layout: Layout, year: int) -> Layout:
    """A copy with other values takes the name of the table, which stays there by another name."""
    run(connection, "DROP TABLE IF EXISTS orders_before")
    _make(connection, layout, _named(layout, "orders_new"))
    columns = ", ".join(layout.columns)
    values = ", ".join(f"{name} + 1" if name == layout.amount else name for name in layout.columns)
    run(connection, f"INSERT INTO {_named(layout, 'orders_new')} ({columns}) SELECT {values} FROM {layout.orders}")
    run(connection, f"ALTER TABLE {layout.orders} RENAME TO orders_before")
    run(connection, f"ALTER TABLE {_named(layout, 'orders_new')} RENAME TO {layout.name}")
    if layout.schema:
        run(connection, f"DROP TABLE {_named(layout, 'orders_before')}")
    return layout


@_migration(kinds=("plain",))
def _drop_orders_and_make_them_anew(connection: Connection, layout: Layout, year: int) -> Layout:
    run(connection, f"DROP TABLE {layout.orders}")
    _make(connection, layout)
    insert_order(connection, layout, layout.orders, year, year, year, year)
    return layout


# Parts.


@_migration("postgresql", kinds=("partitioned", "inherited"))
def _make_a_part(connection: Connection, layout: Layout, year: int) -> Layout | None:
    if year in layout.parts | layout.loose:
        return None
    for statement in create_part(layout, year):
        run(connection, statement)
    return replace(layout, parts=layout.parts | {year})


@_migration("postgresql", kinds=("partitioned", "inherited"))
def _take_a_part_out(connection: Connection, layout: Layout, year: int) -> Layout | None:
    if year not in layout.parts:
        return None
    if layout.kind == "partitioned":
        run(connection, f"ALTER TABLE {layout.orders} DETACH PARTITION {layout.part(year)}")
    else:
        run(connection, f"ALTER TABLE {layout.part(year)} NO INHERIT {layout.orders}")
    return replace(layout, parts=layout.parts - {year}, loose=layout.loose | {year})


@_migration("postgresql", kinds=("partitioned", "inherited"))
def _put_a_part_back(connection: Connection, layout: Layout, year: int) -> Layout | None:
    """With values that have changed while it was no part of the whole."""
    if year not in layout.loose:
        return None
    run(connection, f"UPDATE {layout.part(year)} SET {layout.amount} = {layout.amount} + 1")
    if layout.kind == "partitioned":
        run(connection, f"ALTER TABLE {layout.orders} ATTACH PARTITION {layout.part(year)} FOR VALUES IN ({year})")
    else:
        run(connection, f"ALTER TABLE {layout.part(year)} INHERIT {layout.orders}")
    return replace(layout, parts=layout.parts | {year}, loose=layout.loose - {year})


@_migration("postgresql", kinds=("partitioned", "inherited"))
def _drop_a_part(connection: Connection, layout: Layout, year: int) -> Layout | None:
    if year not in layout.parts:
        return None
    run(connection, f"DROP TABLE {layout.part(year)}")
    return replace(layout, parts=layout.parts - {year})


def _without_loose(connection: Connection, layout: Layout) -> Layout:
    """What is no part any more could not become one again with other columns."""
    for year in layout.loose:
        run(connection, f"DROP TABLE {layout.part(year)}")
    return replace(layout, loose=frozenset())


def _rebuilt(connection: Connection, layout: Layout, new: Layout, amount: str) -> Layout:
    _make(connection, new, "_alembic_tmp_orders")
    columns = ", ".join(new.columns)
    values = ", ".join(amount if name == new.amount else name for name in new.columns)
    run(connection, f"INSERT INTO _alembic_tmp_orders ({columns}) SELECT {values} FROM {layout.orders}")
    run(connection, f"DROP TABLE {layout.orders}")
    run(connection, f"ALTER TABLE _alembic_tmp_orders RENAME TO {layout.name}")
    return new


def _make(connection: Connection, layout: Layout, name: str | None = None) -> None:
    for statement in create_orders(layout, name):
        run(connection, statement)


def _named(layout: Layout, name: str) -> str:
    return f"{layout.schema}.{name}" if layout.schema else name


NAMES = tuple(MIGRATIONS)
