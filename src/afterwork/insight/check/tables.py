"""The tables that must be there, and their indexes."""

from collections.abc import Iterator

from sqlalchemy import inspect, text

from afterwork.insight.check.finding import INSTALL, CheckContext, Finding
from afterwork.model.column_types import has_zone
from afterwork.model.contract import Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store import schema, tables


def has_tickets(scene: CheckContext) -> bool:
    """Whether the application's table of tickets is there."""
    table = scene.model.contract.table
    return inspect(scene.connection).has_table(table.name, schema=table.schema)


def look(scene: CheckContext) -> Iterator[Finding]:
    """The application's table of tickets, Afterwork's own tables, and what belongs to them."""
    model, contract, connection = scene.model, scene.model.contract, scene.connection
    counts = f"{len(model.classes)} classes, {len(model.works)} works"
    yield Finding(f"model: {counts}, tickets in {contract.table.fullname}", True)
    if not has_tickets(scene):
        yield Finding(f"table {contract.table.fullname}", False, "Create the application's own tables first.")
        return
    found = schema.version(connection)
    yield Finding(f"Afterwork's tables, version {found or 'none'}", found == tables.SCHEMA_VERSION, INSTALL)
    missing = schema.missing_indexes(scene.database, connection, contract)
    yield Finding(f"indexes on {contract.table.fullname}", not missing, f"Missing: {', '.join(missing)}. {INSTALL}")
    if found == tables.SCHEMA_VERSION:
        own = schema.missing_own_indexes(scene.database, connection)
        yield Finding("indexes on Afterwork's tables", not own, f"Missing: {', '.join(own)}. {INSTALL}")
    if scene.database.dialect == "postgresql":
        yield Finding("trigger that wakes servers", schema.has_wake_trigger(connection, contract), INSTALL)
        yield from _zones(scene, contract)


def _zones(scene: CheckContext, contract: Contract) -> Iterator[Finding]:
    """Columns without a time zone hold UTC; the database fills them by a clock of another zone."""
    moments = (contract.execute_earliest, contract.done, contract.delete_time, contract.created)
    columns = [one.column for one in moments if one is not None]
    naive = [one.name for one in columns if not isinstance(one.type, UtcDateTime) and not has_zone(one)]
    zone = str(scene.connection.execute(text("SHOW TimeZone")).scalar_one())
    if naive and zone not in ("UTC", "Etc/UTC", "GMT"):
        what = f"{', '.join(naive)} of {contract.table.fullname} keep no time zone, and the database's is {zone}"
        advice = (
            "Afterwork writes and reads UTC there; now() in SQL gives the time of that zone. Make them timestamptz, or "
            "let the application's connections have SET TimeZone = 'UTC'."
        )
        yield Finding(what, False, advice, is_note=True)
