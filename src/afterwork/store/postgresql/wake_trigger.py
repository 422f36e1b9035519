"""The lock that a sleeping server holds on PostgreSQL, and the trigger that tries it to learn whether to notify.

Advisory locks and channels belong to a database, installations to one of its schemas. So all of their names contain the
number of this schema's table `afterwork_installation`; 0 beside it means sleep, any other number a server.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from afterwork.model.contract import Contract
from afterwork.store.journal.values import full_name
from afterwork.store.literal_sql import execute_literally

SPACE = "to_regclass('afterwork_installation')::oid::int4"

FALL_ASLEEP = text(f"SELECT pg_try_advisory_lock({SPACE}, 0)")

BE_AWAKE = text(f"SELECT pg_advisory_unlock({SPACE}, 0)")

SHOW_LIFE = text(
    f"SELECT pg_try_advisory_lock({SPACE}, :server), set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)"
)
"""The lock says that the server lives, so PostgreSQL has to notice if the server's machine silently disappears."""

_BLOCKED = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = to_regclass('afterwork_installation') AND objid = :server)"
)

IS_ALIVE = text(_BLOCKED)

SOMEBODY_SLEEPS = text(_BLOCKED).bindparams(server=0)

CAN_PREPARE = text("SELECT current_setting('max_prepared_transactions') <> '0'")
"""The query for whether transactions can be prepared for two-phase commit. One that has notified can't."""

CHANNEL = text("SELECT 'afterwork_' || to_regclass('afterwork_installation')::oid")

CHANNEL_OF_ENDS = text("SELECT 'afterwork_ended_' || to_regclass('afterwork_installation')::oid")

ABOUT = text(
    "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE pg_class.oid = to_regclass('afterwork_installation')"
)

# The table is named with its schema, since writers have their own search paths; and by name, not by number, since its
# number changes when a dump is restored.
_WAKE = """
    IF NOT pg_try_advisory_xact_lock_shared('{about}'::regclass::oid::int4, 0) THEN
        PERFORM pg_notify('afterwork_' || '{about}'::regclass::oid, '');
    END IF;
"""

AS_OWNER = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off"
"""The rights of trigger functions: writers need none on Afterwork's tables, and nobody else can write there. The path
keeps a writer's own functions and operators from being used."""

_WAKE_FUNCTIONS = (
    f"""
CREATE OR REPLACE FUNCTION afterwork_wake() RETURNS trigger LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN{{wake}}    RETURN NULL;
END $$
""",
    "REVOKE ALL ON FUNCTION afterwork_wake() FROM PUBLIC",
    f"""
CREATE OR REPLACE FUNCTION afterwork_wake_again() RETURNS trigger LANGUAGE plpgsql {AS_OWNER} AS $$
DECLARE
    now_has jsonb := to_jsonb(NEW);
    had jsonb;
BEGIN
    IF now_has ->> TG_ARGV[0] IS NULL AND now_has ->> TG_ARGV[1] IS NULL THEN
        had := to_jsonb(OLD);
        FOR place IN 0 .. TG_NARGS - 1 LOOP
            IF had ->> TG_ARGV[place] IS DISTINCT FROM now_has ->> TG_ARGV[place] THEN{{wake}}                EXIT;
            END IF;
        END LOOP;
    END IF;
    RETURN NULL;
END $$
""",
    "REVOKE ALL ON FUNCTION afterwork_wake_again() FROM PUBLIC",
)
"""The second one is for a pending ticket that was set back or changed. Its arguments are the columns Done, Error, and
those by which it is found. It reads them by name, as JSON values, so a migration may change their types or names
without making writers fail."""


# Triggers of an earlier version name columns, whose types no migration could then change.
_IS_ENABLED = text(
    "SELECT count(*) = 2 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
    " WHERE tgname IN ('afterwork_wake', 'afterwork_wake_again') AND tgrelid = to_regclass(:table)"
    " AND tgenabled <> 'D' AND prosecdef AND CAST(tgattr AS text) = ''"
)


def has_wake_trigger(connection: Connection, contract: Contract) -> bool:
    """Return whether sleeping servers are notified of new tickets, whoever writes them."""
    return bool(connection.execute(_IS_ENABLED, {"table": full_name(contract.table)}).scalar())


def add_wake_trigger(connection: Connection, contract: Contract) -> Iterator[str]:
    """Notify a sleeping server of new tickets, and of pending ones that are set back or changed. The server's own
    writes that end a ticket wake nobody."""
    if has_wake_trigger(connection, contract):
        return
    table = full_name(contract.table)
    # No list of columns and no condition, which would break migrations that change the columns' types.
    watched = (
        *(contract.done, contract.error, contract.execute_earliest, contract.view_model, contract.root_id),
        *(contract.lane, contract.priority),
    )
    names = (attribute.column.name for attribute in watched if attribute is not None)
    columns = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    wake = wake_statement(connection)
    for statement in (
        *(function.format(wake=wake) for function in _WAKE_FUNCTIONS),
        f"DROP TRIGGER IF EXISTS afterwork_wake ON {table}",
        f"DROP TRIGGER IF EXISTS afterwork_wake_again ON {table}",
        f"CREATE TRIGGER afterwork_wake AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION afterwork_wake()",
        f"CREATE TRIGGER afterwork_wake_again AFTER UPDATE ON {table} FOR EACH ROW"
        f" EXECUTE FUNCTION afterwork_wake_again({columns})",
    ):
        execute_literally(connection, statement)
    yield f"trigger afterwork_wake on {contract.table.fullname} created"


def wake_statement(connection: Connection) -> str:
    """Return the PL/pgSQL that wakes sleeping servers."""
    about = connection.execute(ABOUT).scalar_one()
    return _WAKE.format(about=about.replace("'", "''"))


def channel_of_ends(connection: Connection) -> str:
    """Return the channel on which those who wait for tickets of this installation listen."""
    return str(connection.execute(CHANNEL_OF_ENDS).scalar_one())


def channel(connection: Connection) -> str:
    """Return the channel on which the servers of this installation listen."""
    return str(connection.execute(CHANNEL).scalar_one())
