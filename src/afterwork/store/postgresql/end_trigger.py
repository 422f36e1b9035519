"""The trigger that notifies those who wait for tickets when these have ended or are gone, whoever did that."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from afterwork.model.contract import Contract
from afterwork.store.journal.values import full_name
from afterwork.store.literal_sql import execute_literally
from afterwork.store.postgresql.wake_trigger import ABOUT, AS_OWNER

# If nobody waits, a statement costs one look into an empty table, for however many tickets it ends. Columns are read by
# name, as JSON values, so a migration may change their types or names without making writers fail. The arguments are
# the columns of the key, Done and Error. Awaited keys have no hyphens if they are UUIDs.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION afterwork_ended() RETURNS trigger LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
    IF EXISTS (SELECT FROM {{schema}}.afterwork_waiter) THEN
        PERFORM pg_notify('afterwork_ended_' || '{{about}}'::regclass::oid, waiter.ticket)
        FROM (SELECT to_jsonb(changed) AS ticket FROM afterwork_changed AS changed) AS ended
        JOIN {{schema}}.afterwork_waiter AS waiter ON waiter.ticket IN
            (ended.ticket ->> TG_ARGV[0], replace(ended.ticket ->> TG_ARGV[0], '-', ''))
        WHERE TG_OP = 'DELETE' OR ended.ticket ->> TG_ARGV[1] IS NOT NULL OR ended.ticket ->> TG_ARGV[2] IS NOT NULL;
    END IF;
    RETURN NULL;
END $$
"""

_SCHEMA = text(
    "SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE pg_class.oid = to_regclass('afterwork_installation')"
)

_IS_ENABLED = text(
    "SELECT count(*) = 2 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
    " WHERE tgname IN ('afterwork_ended', 'afterwork_gone') AND tgrelid = to_regclass(:table)"
    " AND tgenabled <> 'D' AND prosecdef"
)


def has_end_trigger(connection: Connection, contract: Contract) -> bool:
    """Return whether those who wait are notified of the ends of tickets, whoever ends them."""
    return bool(connection.execute(_IS_ENABLED, {"table": full_name(contract.table)}).scalar())


def add_end_trigger(connection: Connection, contract: Contract) -> Iterator[str]:
    """Notify those who wait for tickets of their ends, and of tickets that are deleted."""
    if has_end_trigger(connection, contract):
        return
    table, about = full_name(contract.table), connection.execute(ABOUT).scalar_one().replace("'", "''")
    names = (attribute.column.name for attribute in (contract.key, contract.done, contract.error))
    columns = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    execute = f"FOR EACH STATEMENT EXECUTE FUNCTION afterwork_ended({columns})"
    for statement in (
        _FUNCTION.format(about=about, schema=connection.execute(_SCHEMA).scalar_one()),
        "REVOKE ALL ON FUNCTION afterwork_ended() FROM PUBLIC",
        f"DROP TRIGGER IF EXISTS afterwork_ended ON {table}",
        f"DROP TRIGGER IF EXISTS afterwork_gone ON {table}",
        f"CREATE TRIGGER afterwork_ended AFTER UPDATE ON {table} REFERENCING NEW TABLE AS afterwork_changed {execute}",
        f"CREATE TRIGGER afterwork_gone AFTER DELETE ON {table} REFERENCING OLD TABLE AS afterwork_changed {execute}",
    ):
        execute_literally(connection, statement)
    yield f"trigger afterwork_ended on {contract.table.fullname} created"
