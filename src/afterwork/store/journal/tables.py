"""The tables of the journal."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import UserDefinedType

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


XID8 = Xid8Type().with_variant(BigInteger(), "sqlite")

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
)
"""The tracked tables and the numbers of their columns. `columns` lists them in the order of their bits, `valued` in the
order of their values; both are JSON lists that only ever grow. `forms` is a JSON object with the names of the columns'
text forms (`store/journal/text_forms.py`), null if an older Afterwork wrote the row. `installed` is the definition of
the capture, null once the table is no longer tracked. `wanted` has the columns that each application wants; an
application is known by its table of tickets. `marks` is the state of the table when it was last inspected,
`fingerprint` one value for all of these, and `relation` the name that PostgreSQL finds the table by."""

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

replaced = Table(
    "afterwork_replaced",
    metadata,
    Column("table_id", SmallInteger, nullable=False),
    Column("row", Integer),
    Column("key", BigInteger),
    Column("key_text", Text),
    Column("old", Text),
    info={"only": "sqlite"},
)
"""The rows that conflict with one that is being written. SQLite fires no trigger for rows that it replaces."""
