"""The classes and members that tables and columns are mapped to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Mapper

from afterwork.derived.cause import Cause
from afterwork.model.inspection import ModelInfo


@dataclass(frozen=True)
class MemberNames:
    """Finds the classes and members of tables and columns. Unmapped ones keep their own name."""

    model: ModelInfo

    @cached_property
    def _mappers(self) -> Mapping[str, Mapper[Any]]:
        """Return the base-most class of each table, by the full name of the table."""
        by_table: dict[str, Mapper[Any]] = {}
        for mapper in self.model.classes.values():
            for above in reversed(list(mapper.iterate_to_root())):
                by_table.setdefault(getattr(above.local_table, "fullname", ""), above)
        return by_table

    def mapper(self, table: str) -> Mapper[Any] | None:
        """Return the class that is mapped to a table, None if there is none."""
        return self._mappers.get(table)

    def table(self, table: str) -> str:
        """Return the name of the class of a table: `Order`."""
        mapper = self.mapper(table)
        return table if mapper is None else mapper.class_.__name__

    def member(self, table: str, column: str) -> str:
        """Return the name of the member that is mapped to a column: `amount`."""
        mapper = self.mapper(table)
        known = () if mapper is None else mapper.column_attrs
        return next((prop.key for prop in known if any(mapped.name == column for mapped in prop.columns)), column)

    def causes(self, cause: Cause) -> list[str]:
        """Return what made a cache stale, without the object: `Order.amount`, `Order, added`. Empty for a first run."""
        table = self.table(cause.table or "")
        if cause.kind == "U":
            return [f"{table}.{self.member(cause.table or '', column)}" for column in cause.columns]
        others = {
            "touch": f"{table}, changed",
            "I": f"{table}, added",
            "D": f"{table}, deleted",
            "T": f"{table}, emptied or migrated",
            "gap": f"{table}, changes that may have been missed",
            "time": "a time that has passed",
            "hand": "by hand",
        }
        return [others[cause.kind]] if cause.kind in others else []
