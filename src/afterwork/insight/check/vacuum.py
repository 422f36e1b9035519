"""Checks of vacuum: tables that work as queues have many dead rows."""

from collections.abc import Iterator

from sqlalchemy import text

from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store import tables

_OURS = text(
    "SELECT s.relname AS name, n_live_tup AS living, n_dead_tup AS dead,"
    " greatest(last_vacuum, last_autovacuum) AS last, 'autovacuum_enabled=off' = ANY (reloptions)"
    " OR 'autovacuum_enabled=false' = ANY (reloptions) AS off"
    " FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid"
    " WHERE s.relid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS name)) ORDER BY name"
)
_IS_ON = text("SELECT current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on'")

FORGOTTEN = "Enable its autovacuum: ALTER TABLE {name} RESET (autovacuum_enabled)."
DEAD = (
    "Each query of the table reads them, too. See whether a long transaction keeps them (above), then: VACUUM {name}. "
    "If they come back, vacuum it more often: ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0.05)."
)


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield findings on autovacuum, and on the tables of Afterwork and of tickets."""
    if scene.database.dialect != "postgresql":
        return
    is_on = bool(scene.connection.execute(_IS_ON).scalar_one())
    advice = "Without it, tables of jobs grow and become slow. Set autovacuum and track_counts to on."
    yield Finding(f"autovacuum is {'on' if is_on else 'off'}", is_on, advice, is_note=True)
    yield from _of_tables(scene)


def _of_tables(scene: CheckContext) -> Iterator[Finding]:
    quote = scene.connection.dialect.identifier_preparer.format_table
    names = [quote(table) for table in (*tables.metadata.sorted_tables, scene.model.contract.table)]
    rows = scene.connection.execute(_OURS, {"names": names}).all()
    bad = 0
    for row in rows:
        is_full = row.dead > max(scene.limits.dead_rows, row.living / 2)
        if is_full:
            when = "never vacuumed" if row.last is None else f"last vacuumed {row.last:%Y-%m-%d %H:%M} UTC"
            what = f"{row.name} has {row.dead:,} dead rows beside {row.living:,} living ones, {when}"
            yield Finding(what, False, DEAD.format(name=row.name), is_note=True)
        if row.off:
            yield Finding(f"{row.name} is left out of autovacuum", False, FORGOTTEN.format(name=row.name), True)
        bad += is_full or bool(row.off)
    if not bad:
        yield Finding(f"dead rows in {len(rows)} tables", True)
