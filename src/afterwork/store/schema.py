"""Afterwork's tables in the database: creating them, and checking that they exist."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Index, Result, Table, inspect, select, text
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import CreateColumn, CreateIndex

from afterwork.errors import NotInPath, NotInstalled, OutdatedTables, WrongSchema
from afterwork.model.contract import Contract
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.store import tables
from afterwork.store.database import Database
from afterwork.store.matches import MATCHES
from afterwork.store.postgresql.sleep import create_wake_function
from afterwork.store.tickets.columns import former_indexes, indexes

FORMER_TABLE = "afterwork_about"
"""The table that had the version of an installation before version 11."""


def install(database: Database, contract: Contract) -> list[str]:
    """Create or update what Afterwork needs in the database.

    Returns a line for each step taken; [] if everything was in place. Raises `WrongSchema` for the tables of a newer
    Afterwork, and `OutdatedTables` for those from before version 11.
    """
    with closing(database.connect()) as connection:
        installed = version(connection)
        if installed is None:
            _refuse_outdated(database, connection)
        elif installed > tables.SCHEMA_VERSION:
            raise WrongSchema(str(database), installed, tables.SCHEMA_VERSION)
        before = list(_prepare_file(database, connection))
        with database.transaction(connection):
            return before + list(_steps(database, connection, contract, installed))


def check_installed(database: Database, connection: Connection) -> None:
    """Raise `NotInstalled`, `OutdatedTables` or `WrongSchema` if the database is not as this program needs it."""
    installed = version(connection)
    if installed is None:
        _refuse_outdated(database, connection)
        raise _not_installed(database, connection)
    if installed != tables.SCHEMA_VERSION:
        raise WrongSchema(str(database), installed, tables.SCHEMA_VERSION)


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
    if not inspect(connection).has_table(tables.installation.name):
        return None
    value = connection.execute(
        select(tables.installation.c.value).where(tables.installation.c.name == "schema_version")
    ).scalar()
    return int(value or 0)


def installation_id(connection: Connection) -> uuid.UUID:
    """Return the id that distinguishes this database from others."""
    return uuid.UUID(_fact(connection, "installation").scalar_one())


def _fact(connection: Connection, name: str) -> Result[Any]:
    facts = tables.installation.c
    return connection.execute(select(facts.value).where(facts.name == name))


def missing_indexes(database: Database, connection: Connection, contract: Contract) -> list[str]:
    """Return the names of missing indexes on the ticket table."""
    return [str(index.name) for index in _missing(database, connection, contract)]


def missing_own_indexes(database: Database, connection: Connection) -> list[str]:
    """Return the names of missing indexes on Afterwork's own tables."""
    return [str(index.name) for index in _missing_own(database, connection)]


def _missing_own(database: Database, connection: Connection) -> list[Index]:
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


def _missing(database: Database, connection: Connection, contract: Contract) -> list[Index]:
    present = database.index_names(connection, contract.table)
    return [index for index in indexes(contract, database.dialect) if index.name not in present]


def has_wake_trigger(connection: Connection, contract: Contract) -> bool:
    """Return whether PostgreSQL notifies sleeping servers of new tickets, whoever writes them."""
    # Triggers of an earlier version name columns, whose types no migration could then change.
    enabled = text(
        "SELECT count(*) = 2 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
        " WHERE tgname IN ('afterwork_wake', 'afterwork_wake_again') AND tgrelid = to_regclass(:table)"
        " AND tgenabled <> 'D' AND prosecdef AND CAST(tgattr AS text) = ''"
    )
    return bool(connection.execute(enabled, {"table": _quoted(connection, contract)}).scalar())


def _prepare_file(database: Database, connection: Connection) -> Iterator[str]:
    """Let readers and the single writer of a SQLite file avoid each other by a write-ahead log."""
    if database.dialect == "sqlite" and not database.shares_one_connection:
        # By the driver alone: the application's engine may begin a transaction with each SQLAlchemy statement.
        connection.commit()
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone() != ("wal",):
            cursor.execute("PRAGMA journal_mode = WAL")
            yield "journal mode of the file set to WAL"
        cursor.close()


def _steps(database: Database, connection: Connection, contract: Contract, installed: int | None) -> Iterator[str]:
    if not inspect(connection).has_table(contract.table.name, schema=contract.table.schema):
        raise NoSuchTableError(
            f"{database} has no table {contract.table.fullname}. Create the application's own tables first."
        )
    yield from _ticket_columns(connection, contract)
    yield from _tables(connection, installed)
    if installed is not None:
        for index in _missing_own(database, connection):
            connection.execute(CreateIndex(index))
            yield f"index {index.name} created"
    for ticket_contract in (contract, MATCHES):
        _drop_former_indexes(connection, ticket_contract)
        for index in _missing(database, connection, ticket_contract):
            connection.execute(CreateIndex(index))
            yield f"index {index.name} created"
        if database.dialect == "postgresql" and not has_wake_trigger(connection, ticket_contract):
            yield from _wake_trigger(connection, ticket_contract)


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
        connection.execute(facts.insert(), [{"name": "installation", "value": str(uuid.uuid4())}])
        connection.execute(tables.lane.insert(), [{"name": MAIN}, {"name": PARALLEL}])
    if installed != tables.SCHEMA_VERSION:
        connection.execute(tables.installation.delete().where(tables.installation.c.name == "schema_version"))
        connection.execute(
            tables.installation.insert(), [{"name": "schema_version", "value": str(tables.SCHEMA_VERSION)}]
        )
        yield f"schema version {tables.SCHEMA_VERSION} set"


def _ticket_columns(connection: Connection, contract: Contract) -> Iterator[str]:
    """Add the column that a ticket table of an earlier version lacks; it was the only addition since."""
    column = None if contract.not_after is None else contract.not_after.column
    present = {str(row["name"]) for row in inspect(connection).get_columns(contract.table.name, contract.table.schema)}
    if column is not None and column.name not in present:
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {_quoted(connection, contract)} ADD COLUMN {definition}")
        yield f"column {contract.table.fullname}.{column.name} added"


def _columns(connection: Connection, table: Table) -> Iterator[str]:
    """Add the columns that the table of an older Afterwork lacks."""
    quote = connection.dialect.identifier_preparer.quote
    present = set(connection.exec_driver_sql(f"SELECT * FROM {quote(table.name)} LIMIT 0").keys())
    for column in table.columns:
        if column.name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {quote(table.name)} ADD COLUMN {definition}")
            yield f"column {table.name}.{column.name} added"


def _wake_trigger(connection: Connection, contract: Contract) -> Iterator[str]:
    """Notify a sleeping server of new tickets, and of pending ones that are set back or changed. The server's own
    writes that end a ticket wake nobody."""
    table = _quoted(connection, contract)
    create_wake_function(connection)
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS afterwork_wake ON {table}")
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS afterwork_wake_again ON {table}")
    connection.exec_driver_sql(
        f"CREATE TRIGGER afterwork_wake AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION afterwork_wake()"
    )
    # No list of columns and no condition, which would break migrations that change the columns' types.
    watched = (
        *(contract.done, contract.error, contract.execute_earliest, contract.view_model, contract.root_id),
        *(contract.lane, contract.priority),
    )
    columns = ", ".join(_text(attribute.column.name) for attribute in watched if attribute is not None)
    connection.exec_driver_sql(
        f"CREATE TRIGGER afterwork_wake_again AFTER UPDATE ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION afterwork_wake_again({columns})"
    )
    yield f"trigger afterwork_wake on {contract.table.fullname} created"


def _text(name: str) -> str:
    return "'" + name.replace("'", "''").replace("%", "%%") + "'"


def _quoted(connection: Connection, contract: Contract) -> str:
    return connection.dialect.identifier_preparer.format_table(contract.table)
