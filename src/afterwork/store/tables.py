"""Afterwork's own tables."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, false

from afterwork.model.moment import UtcDateTime

SCHEMA_VERSION = 2

metadata = MetaData()

about = Table(
    "afterwork_about",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about this installation: `schema_version`, and `installation`, an id that tells databases apart."""

server = Table(
    "afterwork_server",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", Text, nullable=False),
    Column("process", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("seen", UtcDateTime, nullable=False),
    Column("locked", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
"""The servers that are there. A server deletes its row when it stops; a row whose server is dead tells of a crash.
`locked` says that the server holds a lock as long as its connection lives, which tells dead from slow."""

lane = Table(
    "afterwork_lane",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease", String(36)),
    Column("paused", Boolean, nullable=False, server_default=false()),
)
"""One row for each lane. A transaction that runs jobs of it locks the row; `lease` is the outside run that has it."""

lease = Table(
    "afterwork_lease",
    metadata,
    Column("run", String(36), primary_key=True),
    Column("ticket", Text, nullable=False, unique=True),
    Column("lane", Text, nullable=False),
    Column("server", BigInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("taken", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Index("afterwork_lease_server", "server"),
)
"""Runs that go on with no transaction open. Whoever takes one over raises its epoch; only the last may settle it."""
