"""The tables of caches: which there are, what each has read, and which are due."""

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
    """What a computation has seen: a `pg_snapshot` on PostgreSQL, the number of the last change on SQLite."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "pg_snapshot"


Snapshot = SnapshotType().with_variant(BigInteger(), "sqlite")

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A key that SQLite counts up by itself."""

definition = Table(
    "afterwork_definition",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("checksum", Text),
    Column("next_root", Text),
    Column("filled", Boolean, nullable=False, server_default=false()),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger),
    Column("began", UtcDateTime),
    Column("codes", Integer, nullable=False, server_default="0"),
    Column("root_watch", Integer),
    Column("gap", Text),
)
"""The caches of the model by name. `checksum` is that of the code that the stored values come from or are being filled
by, `codes` how often that has become another; `next_root` is how far filling has come, `filled` that it has come to the
end; `root_watch` is the watched table of its objects; `gap` is the cause if all of them run again since changes may
have been missed."""

cache = Table(
    "afterwork_cache",
    metadata,
    Column("id", Number, primary_key=True),
    Column("definition", Integer, nullable=False),
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
    UniqueConstraint("definition", "root", name="afterwork_cache_root"),
    sqlite_autoincrement=True,  # the number of one that is gone is not given to another
)
"""One cache of one object, and its last run: what it had seen, the transaction in which a view model wrote, the one in
which a value was written (on SQLite the number of the last change by then), a number that tells its manifest from
others, and what had made it stale (a text, and the cache that wrote it). In a circle of definitions, `level` is one
above those of the caches that it reads."""

# Few fail, so this costs the others nothing, and counting and listing those that did is no matter of how many there
# are.
Index(
    "afterwork_cache_failed",
    cache.c.definition,
    cache.c.root,
    postgresql_where=cache.c.error.is_not(None),
    sqlite_where=cache.c.error.is_not(None),
)

due = Table(
    "afterwork_due",
    metadata,
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    Column("definition", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("fill", Boolean, nullable=False, server_default=false()),
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
"""Caches that are to run, each at its moment. With `since`, the cache is stale; without, it becomes so at that moment.
`reread` says that
what it depends on may be something else by now, for caches that are calculated in SQL. `claim` says that a server is at
it, and that no change may be forgotten which it may not have seen (`claimed_at`). `waited` says how often it has run
too early, and has waited for others."""

wait = Table(
    "afterwork_wait",
    metadata,
    Column("reader", BigInteger, primary_key=True, autoincrement=False),
    Column("feeder", BigInteger, primary_key=True, autoincrement=False),
    Index("afterwork_wait_feeder", "feeder"),
)
"""Caches that have run too early, each with those that are to be made before."""

Index(
    "afterwork_due_next",
    due.c.definition,
    due.c.fill,
    due.c.due,
    due.c.cache,
    postgresql_where=due.c.claim.is_(None),
    sqlite_where=due.c.claim.is_(None),
)
Index(
    "afterwork_due_claimed",
    due.c.definition,
    due.c.claim,
    postgresql_where=due.c.claim.is_not(None),
    sqlite_where=due.c.claim.is_not(None),
)

shape = Table(
    "afterwork_shape",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("watch", Integer, nullable=False),
    Column("equal", Text),
    Column("columns", BigInteger, nullable=False),
)
"""The shapes of reads that there have been. `equal` is a JSON list for `Where`; for `Row`, the column that the
reader writes, null if it is none."""

# Null is equal to null here, so that each shape has one number.
Index("afterwork_shape_once", shape.c.watch, func.coalesce(shape.c.equal, ""), shape.c.columns, unique=True)

use = Table(
    "afterwork_use",
    metadata,
    Column("definition", Integer, primary_key=True, autoincrement=False),
    Column("shape", Integer, primary_key=True, autoincrement=False),
)
"""Which shapes the runs of a cache have ever read: those that write what others read run first."""

manifest = Table(
    "afterwork_manifest",
    metadata,
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    Column("tokens", postgresql.ARRAY(BigInteger).with_variant(LargeBinary(), "sqlite"), nullable=False),
)
"""What each cache read, as the sorted numbers of its reads."""

# Without a pending list: looking a number up costs the same however much was written lately.
Index(
    "afterwork_manifest_tokens",
    manifest.c.tokens,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
    info={"only": "postgresql"},
).ddl_if(dialect="postgresql")

read = Table(
    "afterwork_read",
    metadata,
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("cache", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
    info={"only": "sqlite"},
)
"""The same the other way round, where the database has no index into arrays."""
