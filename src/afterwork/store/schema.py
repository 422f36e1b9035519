"""Afterwork's tables in the database: creating them, and checking that they exist."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import Column, Connection, Index, Table, TextClause, inspect, select, text
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import CreateColumn, CreateIndex

from afterwork.errors import NotInPath, NotInstalled, OutdatedTables, WrongSchema
from afterwork.model.contract import Contract
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store import page_sessions, tables
from afterwork.store.database import Database
from afterwork.store.tickets.columns import former_indexes, indexes
from afterwork.store.timers import MATCHES

FORMER_TABLE = "afterwork_about"
"""The table that had the version of an installation before version 11."""


def install(database: Database, contract: Contract) -> list[str]:
    """Create or update what Afterwork needs in the database.

    Returns a line for each step taken; [] if everything was in place. Raises `WrongSchema` for the tables of a newer
    Afterwork, and `OutdatedTables` for those from before version 11.
    """
    with closing(database.connect()) as connection:
        _version_to_update(database, connection)  # which may refuse, before anything is changed
        before = list(database.prepare_file(connection))
        with database.transaction(connection, database.lock_installation):
            installed = _version_to_update(database, connection)
            return before + list(_steps(database, connection, contract, installed))


def install_within(database: Database, connection: Connection, contract: Contract) -> list[str]:
    """Do as `install` does, in the open transaction of a connection."""
    for statement in database.lock_installation:
        connection.exec_driver_sql(statement)
    return list(_steps(database, connection, contract, _version_to_update(database, connection)))


def _version_to_update(database: Database, connection: Connection) -> int | None:
    installed = version(connection)
    if installed is None:
        _refuse_outdated(database, connection)
    elif installed > tables.SCHEMA_VERSION:
        raise WrongSchema(str(database), installed, tables.SCHEMA_VERSION)
    return installed


def check_installed(database: Database, connection: Connection) -> uuid.UUID:
    """Return the id that distinguishes this database from others. Raise `NotInstalled`, `OutdatedTables` or
    `WrongSchema` if the database is not as this program needs it."""
    facts = _facts(connection)
    if facts is None:
        _refuse_outdated(database, connection)
        raise _not_installed(database, connection)
    if _version(facts) != tables.SCHEMA_VERSION:
        raise WrongSchema(str(database), _version(facts), tables.SCHEMA_VERSION)
    return uuid.UUID(facts["installation"])


def _refuse_outdated(database: Database, connection: Connection) -> None:
    if inspect(connection).has_table(FORMER_TABLE):
        raise OutdatedTables(str(database), FORMER_TABLE)


def _not_installed(database: Database, connection: Connection) -> NotInstalled:
    if database.dialect == "postgresql":
        path: str = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
        named = text("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = :name AND relkind = 'r'")
        if schemas := connection.execute(named, {"name": tables.installation.name}).scalars().all():
            return NotInPath(str(database), path, sorted(schemas))
    return NotInstalled(str(database))


def version(connection: Connection) -> int | None:
    """Return the version of Afterwork's tables in the database; None without any."""
    facts = _facts(connection)
    return None if facts is None else _version(facts)


def _facts(connection: Connection) -> dict[str, str] | None:
    """Return what the database says of the installation; None without any."""
    if not inspect(connection).has_table(tables.installation.name):
        return None
    c = tables.installation.c
    return dict(tuple(fact) for fact in connection.execute(select(c.name, c.value)))


def _version(facts: dict[str, str]) -> int:
    return int(facts.get("schema_version") or 0)


def missing_own_indexes(database: Database, connection: Connection) -> list[Index]:
    own = [table for table in tables.metadata.sorted_tables if table.indexes and _belongs(table, database.dialect)]
    return [
        index
        for table in own
        for present in [database.index_names(connection, table)]
        for index in sorted(table.indexes, key=lambda index: str(index.name))
        if _belongs(index, database.dialect) and index.name not in present
    ]


def _belongs(item: Table | Index, dialect: str) -> bool:
    """Return whether one of Afterwork's tables or indexes is for databases of this kind."""
    return bool(item.info.get("only", dialect) == dialect)


def missing_indexes(database: Database, connection: Connection, contract: Contract) -> list[Index]:
    present = database.index_names(connection, contract.table)
    return [index for index in indexes(contract, database.dialect) if index.name not in present]


def _steps(database: Database, connection: Connection, contract: Contract, installed: int | None) -> Iterator[str]:
    if not inspect(connection).has_table(contract.table.name, schema=contract.table.schema):
        raise NoSuchTableError(
            f"{database} has no table {contract.table.fullname}. Create the application's own tables first."
        )
    yield from _ticket_columns(connection, contract)
    yield from _tables(connection, installed)
    if installed is not None:
        for index in missing_own_indexes(database, connection):
            connection.execute(CreateIndex(index))
            yield f"index {index.name} created"
    for ticket_contract in (contract, MATCHES):
        _drop_former_indexes(connection, ticket_contract)
        for index in missing_indexes(database, connection, ticket_contract):
            connection.execute(CreateIndex(index))
            yield f"index {index.name} created"
        yield from database.add_wake_trigger(connection, ticket_contract)
    yield from database.add_end_trigger(connection, contract)


def _drop_former_indexes(connection: Connection, contract: Contract) -> None:
    preparer, schema = connection.dialect.identifier_preparer, contract.table.schema
    within = f"{preparer.quote_schema(schema)}." if schema else ""
    for name in former_indexes(contract):
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {within}{preparer.quote(name)}")


def _tables(connection: Connection, installed: int | None) -> Iterator[str]:
    inspector = inspect(connection)
    for table in tables.metadata.sorted_tables:
        if not _belongs(table, connection.dialect.name):
            continue
        if not inspector.has_table(table.name):
            table.create(connection, checkfirst=False)
            yield f"table {table.name} created"
        elif installed != tables.SCHEMA_VERSION:
            yield from _columns(connection, table)
    facts = tables.installation
    if installed is None:
        connection.execute(facts.insert().values(name="installation", value=_new_id(connection)))
        connection.execute(tables.lane.insert(), [{"name": MAIN}, {"name": PARALLEL}])
    if installed != tables.SCHEMA_VERSION:
        connection.execute(tables.installation.delete().where(tables.installation.c.name == "schema_version"))
        connection.execute(
            tables.installation.insert(), [{"name": "schema_version", "value": str(tables.SCHEMA_VERSION)}]
        )
        page_sessions.make_key(connection)
        yield f"schema version {tables.SCHEMA_VERSION} set"


def _new_id(connection: Connection) -> TextClause:
    """Return SQL for a new id: a script that installs gives another one to each database on which it runs."""
    is_sqlite = connection.dialect.name == "sqlite"
    return text("lower(hex(randomblob(16)))" if is_sqlite else "gen_random_uuid()::text")


def _ticket_columns(connection: Connection, contract: Contract) -> Iterator[str]:
    """Add the columns that a ticket table of an earlier version lacks."""
    for column in missing_ticket_columns(connection, contract):
        yield _add_column(connection, contract.table, column)


def missing_ticket_columns(connection: Connection, contract: Contract) -> list[Column[Any]]:
    """Return the columns that a ticket table of an earlier version lacks; they were the only additions since."""
    present = {str(row["name"]) for row in inspect(connection).get_columns(contract.table.name, contract.table.schema)}
    added = [
        attribute.column
        for attribute in (contract.not_after, contract.arguments, contract.result)
        if attribute is not None
    ]
    return [column for column in added if column.name not in present]


def _columns(connection: Connection, table: Table) -> Iterator[str]:
    """Add the columns that the table of an older Afterwork lacks."""
    quote = connection.dialect.identifier_preparer.quote
    present = set(connection.exec_driver_sql(f"SELECT * FROM {quote(table.name)} LIMIT 0").keys())
    for column in table.columns:
        if column.name not in present:
            yield _add_column(connection, table, column)


def _add_column(connection: Connection, table: Table, column: Column[Any]) -> str:
    name = connection.dialect.identifier_preparer.format_table(table)
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {definition}")
    return f"column {table.fullname}.{column.name} added"
