"""The tables of the journal."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    false,
)
from sqlalchemy.types import UserDefinedType

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.tables import metadata

LAST_CHARACTER = 64
"""The character up to which texts are kept and compared."""


class Xid8Type(UserDefinedType[int]):
    """A transaction number on PostgreSQL, as an int in Python."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], str | None]:
        # As a text, the only form that PostgreSQL converts to an xid8.
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], int | None]:
        return lambda value: None if value is None else int(value)


class TouchValueType(UserDefinedType[Any]):
    """A value in a touch: a text on PostgreSQL, and on SQLite the value itself, which no affinity converts."""

    cache_ok = True

    def __init__(self, name: str = "text") -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name


XID8 = Xid8Type().with_variant(BigInteger(), "sqlite")

_SQLITE_VALUE = TouchValueType("DEFAULT 0")
"""On SQLite each touch is noted once. So values that a route doesn't need are not null: nulls are never the same."""

_Image = ARRAY(Text).with_variant(Text(), "sqlite")
_Moment = DateTime(timezone=True).with_variant(Text(), "sqlite")

tracked_table = Table(
    "afterwork_tracked_table",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("columns", Text, nullable=False),
    Column("valued", Text, nullable=False),
    Column("forms", Text),
    Column("installed", Text),
    Column("wanted", Text),
    Column("relation", Text),
    Column("marks", Text),
    Column("fingerprint", Text),
    Column("journaled", Text),
)
"""The tracked tables and the numbers of their columns. `columns` lists them in the order of their bits, `valued` in the
order of their values; both are JSON lists that only ever grow. `forms` is a JSON object with the names of the columns'
text forms (`store/journal/text_forms.py`), null if an older Afterwork wrote the row. `installed` is the definition of
the capture, null once the table is no longer tracked. `wanted` has the columns that each application wants; an
application is known by its table of tickets. `marks` is the state of the table when it was last inspected,
`fingerprint` one value for all of these, and `relation` the name that PostgreSQL finds the table by. `journaled` is a
JSON list of the applications that need its changes in the journal; the others need only touches."""

journal = Table(
    "afterwork_journal",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), Identity(), nullable=False),
    Column("tx", XID8),
    Column("changed_at", _Moment, nullable=False),
    Column("table_id", SmallInteger, nullable=False),
    Column("kind", CHAR(1), nullable=False),
    Column("key", BigInteger),
    Column("key_text", Text),
    Column("columns", BigInteger, nullable=False),
    Column("old", _Image),
    Column("new", _Image),
    # No index on PostgreSQL: all rows are read at once, and writers have less to write.
    PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
    sqlite_autoincrement=True,
)
"""Changes, as `afterwork.store.journal.change` reads them."""

recent = Table(
    "afterwork_recent",
    metadata,
    *(Column(column.name, column.type, nullable=column.nullable) for column in journal.columns),
)
"""Changes taken out of the journal that a running computation may still need."""

MAX_TOUCH_COLUMNS = 6
"""The maximum number of columns whose values a touch holds."""

replaced = Table(
    "afterwork_replaced",
    metadata,
    Column("table_id", SmallInteger, nullable=False),
    Column("row", Integer),
    Column("key", BigInteger),
    Column("key_text", Text),
    Column("old", Text),
    Column("route", Integer),
    *(Column(f"v{number}", _SQLITE_VALUE) for number in range(1, MAX_TOUCH_COLUMNS + 1)),
    info={"only": "sqlite"},
)
"""The rows that conflict with one that is being written, and what they would touch, each with its `route`. SQLite fires
no trigger for rows that it replaces."""

route = Table(
    "afterwork_route",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("application", Text, nullable=False),
    Column("derivation", Text, nullable=False),
    Column("table_id", SmallInteger, nullable=False),
    Column("columns", Text, nullable=False),
    Column("counting", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("at_commit", Boolean, nullable=False),
    sqlite_autoincrement=True,  # the number of a dropped route is never given to another
)
"""The ways from changed rows back to the objects of a set-based derivation. `columns` are those of a row that the way
goes by, `counting` those whose change counts; both are JSON lists. The `role` is that of `RouteSpec`. With `at_commit`,
its touches are followed in the transaction that makes them."""

refreshing = Table(
    "afterwork_refreshing", metadata, Column("route", Integer, primary_key=True), info={"only": "sqlite"}
)
"""The route for overwritten values that the open transaction is writing itself. No committed state has a row here."""

_TouchValue = TouchValueType().with_variant(_SQLITE_VALUE, "sqlite")

touch = Table(
    "afterwork_touch",
    metadata,
    Column("route", Integer, nullable=False),
    Column("whole", Boolean, nullable=False, server_default=false()),
    *(Column(f"v{number}", _TouchValue) for number in range(1, MAX_TOUCH_COLUMNS + 1)),
    Column("via", Integer),
)
"""The touches of changes: for each changed row and route, the values of the route's columns. With `whole`, any row
of the route's table may have changed. An object that is touched in place of what led to it is so `via` another route,
or zero without any; this is kept for derivations that keep last changes."""

last_change = Table(
    "afterwork_last_change",
    metadata,
    Column("own", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("route", Integer),
)
"""When values in sets were last written. `route` is the one by which a change had touched them; null if none had. Only
derivations that ask for it have rows here. `own` is the route of their objects' own rows, `key` the object's key as
JSON."""

commit_touch = Table(
    "afterwork_commit_touch",
    metadata,
    Column("tx", XID8, nullable=False),
    Column("route", Integer, nullable=False),
    Column("whole", Boolean, nullable=False, server_default=false()),
    *(Column(f"v{number}", _TouchValue) for number in range(1, MAX_TOUCH_COLUMNS + 1)),
    Column("via", Integer),
    Index("afterwork_commit_touch_tx", "tx", "route"),
    prefixes=["UNLOGGED"],
    info={"only": "postgresql"},
)
"""The touches of routes that are followed when their transaction `tx` commits. They never outlive it."""

committing = Table(
    "afterwork_committing",
    metadata,
    Column("tx", XID8, primary_key=True),
    prefixes=["UNLOGGED"],
    info={"only": "postgresql"},
)
"""The open transactions with touches of that kind: a row of each fires the deferred triggers that follow them."""

Index(
    "afterwork_touch_values",
    touch.c.route,
    *(touch.c[f"v{number}"] for number in range(1, MAX_TOUCH_COLUMNS + 1)),
    touch.c.whole,
    unique=True,
    info={"only": "sqlite"},
).ddl_if(dialect="sqlite")
