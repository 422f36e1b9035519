"""The tables of derived work: derivations, caches, their manifests, and the queue of due caches."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.journal.tables import XID8
from afterwork.store.tables import metadata


class SnapshotType(UserDefinedType[Any]):
    """The state that a run has seen: a `pg_snapshot` on PostgreSQL, the number of the last change on SQLite."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "pg_snapshot"


Snapshot = SnapshotType().with_variant(BigInteger(), "sqlite")

RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""A key that SQLite increments by itself."""

derivation = Table(
    "afterwork_derivation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("checksum", Text),
    Column("backfill_position", Text),
    Column("backfilled", Boolean, nullable=False, server_default=false()),
    Column("backfill_done", BigInteger, nullable=False, server_default="0"),
    Column("backfill_total", BigInteger),
    Column("backfill_began", UtcDateTime),
    Column("code_changes", Integer, nullable=False, server_default="0"),
    Column("root_table_id", Integer),
    Column("gap", Text),
)
"""The derivations of the model by name. `checksum` is that of the code that computed the stored values, or that the
backfill is computing them with; `code_changes` counts how often it has changed. `backfill_position` is the key that the
backfill has reached; `backfilled` is true once it has reached the end. `root_table_id` is the tracked table of the
derivation's roots. `gap` is why all its caches run again, if changes may have been missed."""

cache = Table(
    "afterwork_cache",
    metadata,
    Column("id", RowNumber, primary_key=True),
    Column("derivation", Integer, nullable=False),
    Column("root", Text, nullable=False),
    Column("snapshot", Snapshot),
    Column("own", XID8),
    Column("wrote", XID8),
    Column("digest", BigInteger),
    Column("runs", Integer, nullable=False, server_default="0"),
    Column("took", Float),
    Column("computed", UtcDateTime),
    Column("cause", Text),
    Column("cause_cache", BigInteger),
    Column("depth", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("level", Integer),
    UniqueConstraint("derivation", "root", name="afterwork_cache_root"),
    sqlite_autoincrement=True,  # the number of a dropped cache is never given to another
)
"""One cache of one object, and its last run.

`snapshot` is the state that it saw, `own` the transaction in which a view model wrote, `wrote` the one in which a value
was written (on SQLite the number of the last change by then). `digest` tells its manifest from others. `cause` is what
made it stale, and `cause_cache` the cache that wrote that. In a cycle of derivations, `level` is one above those of the
caches that it reads."""

# Few caches fail, so this index costs the others nothing, and the failed ones are counted and listed however many
# caches there are.
Index(
    "afterwork_cache_failed",
    cache.c.derivation,
    cache.c.root,
    postgresql_where=cache.c.error.is_not(None),
    sqlite_where=cache.c.error.is_not(None),
)

due = Table(
    "afterwork_due",
    metadata,
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    Column("derivation", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("backfill", Boolean, nullable=False, server_default=false()),
    Column("since", UtcDateTime),
    Column("cause", Text),
    Column("cause_cache", BigInteger),
    Column("depth", Integer, nullable=False, server_default="0"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reread", Boolean, nullable=False, server_default=true()),
    Column("claim", String(36)),
    Column("server", BigInteger),
    Column("claimed_at", Snapshot),
    Column("stored", Boolean, nullable=False, server_default=false()),
    Column("waited", Integer, nullable=False, server_default="0"),
)
"""Caches that are to run, each when it is due. With `since`, the cache is stale; without, it becomes so when it is due.

`reread` says that its dependencies may have changed, for caches that are calculated in SQL. A `claim` says that a
server runs it, and that no change may be forgotten which it may not have seen (`claimed_at`). `stored` says that the
run has stored its effects and is only to be checked. `waited` counts the runs that were too early for what they read.
"""

BLOCKED = datetime(9998, 1, 1, tzinfo=UTC)
"""A due time in the far future for blocked caches: nobody can tell when the others will have run. Level 0 is here, each
level a second later."""

wait = Table(
    "afterwork_wait",
    metadata,
    Column("reader", BigInteger, primary_key=True, autoincrement=False),
    Column("feeder", BigInteger, primary_key=True, autoincrement=False),
    Index("afterwork_wait_feeder", "feeder"),
)
"""Caches that ran too early, each with the feeders that it waits for."""

Index(
    "afterwork_due_next",
    due.c.derivation,
    due.c.backfill,
    due.c.due,
    due.c.cache,
    postgresql_where=due.c.claim.is_(None),
    sqlite_where=due.c.claim.is_(None),
)
Index(
    "afterwork_due_claimed",
    due.c.derivation,
    due.c.claim,
    postgresql_where=due.c.claim.is_not(None),
    sqlite_where=due.c.claim.is_not(None),
)

read_pattern = Table(
    "afterwork_read_pattern",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("table_id", Integer, nullable=False),
    Column("equal", Text),
    Column("columns", BigInteger, nullable=False),
)
"""The read patterns recorded so far. `equal` is a JSON list for a `QueryRead`; for a `RowRead`, the column that the
reader writes, or null."""

# Here null equals null, so that each pattern has one number.
Index(
    "afterwork_read_pattern_once",
    read_pattern.c.table_id,
    func.coalesce(read_pattern.c.equal, ""),
    read_pattern.c.columns,
    unique=True,
)

use = Table(
    "afterwork_use",
    metadata,
    Column("derivation", Integer, primary_key=True, autoincrement=False),
    Column("read_pattern", Integer, primary_key=True, autoincrement=False),
)
"""The read patterns that runs of a derivation have ever used: derivations that write what others read run first."""

manifest = Table(
    "afterwork_manifest",
    metadata,
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    Column("read_keys", postgresql.ARRAY(BigInteger).with_variant(LargeBinary(), "sqlite"), nullable=False),
)
"""The read keys of each cache's last run, sorted."""

# Without a pending list: a lookup costs the same however much was written lately.
Index(
    "afterwork_manifest_read_keys",
    manifest.c.read_keys,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
    info={"only": "postgresql"},
).ddl_if(dialect="postgresql")

read = Table(
    "afterwork_read",
    metadata,
    Column("read_key", BigInteger, primary_key=True, autoincrement=False),
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
    info={"only": "sqlite"},
)
"""The same the other way round, where the database has no index into arrays."""
