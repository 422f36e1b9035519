"""Writing values into one column of many rows, and nothing else."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Column, Connection, bindparam, column, func, table, update

from afterwork.journal.watch import Watch

Rows = Sequence[tuple[tuple[Any, ...], Any]]
"""Each a primary key and a value."""


def write_column(connection: Connection, target: Watch, member: Column[Any], rows: Rows) -> None:
    """Set a column of the rows with these keys. What the model writes with every update is not written."""
    if (
        connection.dialect.name == "postgresql"
        and len(target.key) == 1
        and len({type(value) for _, value in rows}) == 1
        and not _may_be_cut(member, rows)
    ):
        _write_arrays(connection, target, member, rows)
    else:
        _write_one_by_one(connection, target, member, rows)


def _may_be_cut(member: Column[Any], rows: Rows) -> bool:
    """Whether a text may be longer than its column. PostgreSQL refuses it, but cuts the elements of an array."""
    length = getattr(member.type, "length", None)
    return length is not None and not all(isinstance(value, str) and len(value) <= length for _, value in rows)


def _write_arrays(connection: Connection, target: Watch, member: Column[Any], rows: Rows) -> None:
    """All by one statement, which goes through the rows once."""
    (key,) = target.key
    bare = _bare(target, member)
    keys: Any = bindparam("keys", [key for (key,), _ in rows], ARRAY(key.type))
    values: Any = bindparam("new_values", [value for _, value in rows], ARRAY(member.type))
    both = func.unnest(keys, values).table_valued(column("key", key.type), column("value", member.type))
    new = both.render_derived(name="new")
    connection.execute(update(bare).where(bare.c[key.name] == new.c.key).values({member.name: new.c.value}))


def _write_one_by_one(connection: Connection, target: Watch, member: Column[Any], rows: Rows) -> None:
    bare = _bare(target, member)
    statement = (
        update(bare)
        .where(*(bare.c[key.name] == bindparam(f"key_{n}", type_=key.type) for n, key in enumerate(target.key)))
        .values({member.name: bindparam("new_value", type_=member.type)})
    )
    values = [{"new_value": value} | {f"key_{n}": part for n, part in enumerate(key)} for key, value in rows]
    connection.execute(statement, values if len(values) > 1 else values[0])


def _bare(target: Watch, member: Column[Any]) -> Any:
    """The table, without what the model knows of it."""
    columns = (column(one.name, one.type) for one in (*target.key, member))
    return table(target.table.name, *columns, schema=target.table.schema)
