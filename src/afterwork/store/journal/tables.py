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
"""Texts are kept, and compared, up to this character."""


class Xid8Type(UserDefinedType[int]):
    """The number of a transaction on PostgreSQL, as an int in Python."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"

    def bind_processor(self, dialect: Dialect) -> Callable[[int | None], str | None]:
        # As a text, which PostgreSQL takes for an xid8; it takes no other number for one.
        return lambda value: None if value is None else str(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], int | None]:
        return lambda value: None if value is None else int(value)


XID8 = Xid8Type().with_variant(BigInteger(), "sqlite")

_Image = ARRAY(Text).with_variant(Text(), "sqlite")
_Moment = DateTime(timezone=True).with_variant(Text(), "sqlite")

watch = Table(
    "afterwork_watch",
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
"""The watched tables, and the numbers of their columns: `columns` in the order of their bits, `valued` in the order of
their values, as JSON lists to which is only ever added. `forms` has the names of the forms of columns
(`store/journal/text_forms.py`), as a JSON object, null if an older Afterwork was here. `installed` is what was made to
watch the table, null once it is not watched any more; `wanted` are the columns that each application wants, which is
known by its table of tickets. `marks` are what the table looked like when it was looked at last, `fingerprint` one
value for all of these, `relation` what PostgreSQL finds it by."""

journal = Table(
    "afterwork_journal",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), Identity(), nullable=False),
    Column("tx", XID8),
    Column("moment", _Moment, nullable=False),
    Column("watch", SmallInteger, nullable=False),
    Column("kind", CHAR(1), nullable=False),
    Column("key", BigInteger),
    Column("key_text", Text),
    Column("columns", BigInteger, nullable=False),
    Column("old", _Image),
    Column("new", _Image),
    # On PostgreSQL without an index: all rows are read at once, and writers have less to write.
    PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
    sqlite_autoincrement=True,
)
"""Changes, as `afterwork.store.journal.change` reads them."""

recent = Table(
    "afterwork_recent",
    metadata,
    *(Column(column.name, column.type, nullable=column.nullable) for column in journal.columns),
)
"""Changes that were taken out of the journal, and that a computation in flight may still need."""

replaced = Table(
    "afterwork_replaced",
    metadata,
    Column("watch", SmallInteger, nullable=False),
    Column("row", Integer),
    Column("key", BigInteger),
    Column("key_text", Text),
    Column("old", Text),
    info={"only": "sqlite"},
)
"""The rows in the way of one that is just being written. SQLite tells no trigger that it has replaced them."""
