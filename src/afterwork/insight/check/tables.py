"""Checks of the tables and their indexes."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Index, inspect, text

from afterwork.insight.check.finding import INSTALL, CheckContext, Finding
from afterwork.model.column_types import has_zone
from afterwork.model.contract import Contract
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store import schema, tables
from afterwork.store.postgresql.end_trigger import has_end_trigger
from afterwork.store.postgresql.wake_trigger import has_wake_trigger


def has_tickets(scene: CheckContext) -> bool:
    """Return whether the application's ticket table exists."""
    table = scene.model.contract.table
    return inspect(scene.connection).has_table(table.name, schema=table.schema)


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield findings on the ticket table, Afterwork's own tables, and their indexes and triggers."""
    model, contract, connection = scene.model, scene.model.contract, scene.connection
    counts = f"{len(model.classes)} classes, {len(model.works)} works"
    yield Finding(f"model: {counts}, tickets in {contract.table.fullname}", True)
    if not has_tickets(scene):
        yield Finding(f"table {contract.table.fullname}", False, "Create the application's own tables first.")
        return
    lacking = schema.missing_ticket_columns(connection, contract)
    if lacking:
        names = ", ".join(str(column.name) for column in lacking)
        yield Finding(f"columns of {contract.table.fullname}", False, f"Missing: {names}. {INSTALL}")
    version = schema.version(connection)
    yield Finding(f"Afterwork's tables, version {version or 'none'}", version == tables.SCHEMA_VERSION, INSTALL)
    missing = schema.missing_indexes(scene.database, connection, contract)
    yield Finding(f"indexes on {contract.table.fullname}", not missing, f"Missing: {_names(missing)}. {INSTALL}")
    if version == tables.SCHEMA_VERSION:
        own = schema.missing_own_indexes(scene.database, connection)
        yield Finding("indexes on Afterwork's tables", not own, f"Missing: {_names(own)}. {INSTALL}")
    if scene.database.dialect == "postgresql":
        yield Finding("trigger that wakes servers", has_wake_trigger(connection, contract), INSTALL)
        yield Finding("trigger that wakes those who wait", has_end_trigger(connection, contract), INSTALL)
        yield from _zones(scene, contract)


def _names(indexes: Sequence[Index]) -> str:
    return ", ".join(str(index.name) for index in indexes)


def _zones(scene: CheckContext, contract: Contract) -> Iterator[Finding]:
    """Yield ticket columns without a time zone, which hold UTC, if the database's clock has another zone."""
    timestamps = (contract.execute_earliest, contract.done, contract.delete_time, contract.created)
    columns = [attribute.column for attribute in timestamps if attribute is not None]
    naive = [c.name for c in columns if not isinstance(c.type, UtcDateTime) and not has_zone(c)]
    zone = str(scene.connection.execute(text("SHOW TimeZone")).scalar_one())
    if naive and zone not in ("UTC", "Etc/UTC", "GMT"):
        what = f"{', '.join(naive)} of {contract.table.fullname} keep no time zone, and the database's is {zone}"
        advice = (
            "Afterwork writes and reads UTC there; now() in SQL gives the time of that zone. Make them timestamptz, or "
            "let the application's connections have SET TimeZone = 'UTC'."
        )
        yield Finding(what, False, advice, is_note=True)
