"""How capture is switched off for a while, or taken away. Each is a function that does something to the triggers on
orders, lets something be written, and may put them back as they were."""

from collections.abc import Callable

from sqlalchemy import Connection, text

from tests.properties.installation.layout import Layout
from tests.properties.installation.writes import run

Writes = Callable[[], None]
Switch = Callable[[Connection, Layout, Writes], None]

SWITCHES: dict[str, Switch] = {}

UNSEEN = frozenset({"triggers made again by the same text"})
"""What the database can't tell: SQLite keeps nothing of a trigger but its text."""

_TRIGGERS = text(
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table AND name LIKE 'afterwork%'"
)
_NAMES = text("SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND NOT tgisinternal")


def _switch(dialect: str) -> Callable[[Switch], Switch]:
    def note(do: Switch) -> Switch:
        def guarded(connection: Connection, layout: Layout, writes: Writes) -> None:
            if layout.dialect == dialect:
                do(connection, layout, writes)
            else:
                writes()

        SWITCHES[do.__name__.strip("_").replace("_", " ")] = guarded
        return do

    return note


@_switch("postgresql")
def _a_session_without_triggers(connection: Connection, layout: Layout, writes: Writes) -> None:
    """As pg_restore and replication write."""
    run(connection, "SET LOCAL session_replication_role = replica")
    writes()
    run(connection, "SET LOCAL session_replication_role = origin")


@_switch("postgresql")
def _triggers_off_and_on(connection: Connection, layout: Layout, writes: Writes) -> None:
    run(connection, f"ALTER TABLE {layout.orders} DISABLE TRIGGER ALL")
    writes()
    run(connection, f"ALTER TABLE {layout.orders} ENABLE TRIGGER ALL")


@_switch("postgresql")
def _triggers_off_and_always_on(connection: Connection, layout: Layout, writes: Writes) -> None:
    """As they were before."""
    run(connection, f"ALTER TABLE {layout.orders} DISABLE TRIGGER ALL")
    writes()
    for name in connection.execute(_NAMES, {"table": layout.orders}).scalars().all():
        run(connection, f"ALTER TABLE {layout.orders} ENABLE ALWAYS TRIGGER {name}")


@_switch("postgresql")
def _triggers_off_for_ever(connection: Connection, layout: Layout, writes: Writes) -> None:
    run(connection, f"ALTER TABLE {layout.orders} DISABLE TRIGGER ALL")
    writes()


@_switch("postgresql")
def _triggers_dropped(connection: Connection, layout: Layout, writes: Writes) -> None:
    for name in connection.execute(_NAMES, {"table": layout.orders}).scalars().all():
        run(connection, f"DROP TRIGGER {name} ON {layout.orders}")
    writes()


@_switch("sqlite")
def _triggers_dropped_from_a_file(connection: Connection, layout: Layout, writes: Writes) -> None:
    _dropped(connection, layout)
    writes()


@_switch("sqlite")
def _triggers_made_again_by_the_same_text(connection: Connection, layout: Layout, writes: Writes) -> None:
    statements = _dropped(connection, layout)
    writes()
    for statement in statements:
        connection.exec_driver_sql(statement)


def _dropped(connection: Connection, layout: Layout) -> list[str]:
    triggers = connection.execute(_TRIGGERS, {"table": layout.name}).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    return [statement for _, statement in triggers]


NAMES = tuple(SWITCHES)
