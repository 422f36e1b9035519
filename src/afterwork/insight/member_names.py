"""What the tables and columns of a model are called in its classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Mapper

from afterwork.derived.cause import Cause
from afterwork.model.inspection import ModelInfo


@dataclass(frozen=True)
class MemberNames:
    """Finds the classes and members that tables and columns stand for. What no class has keeps its own name."""

    model: ModelInfo

    @cached_property
    def _mappers(self) -> Mapping[str, Mapper[Any]]:
        """By the full name of its table, the uppermost class that has one."""
        found: dict[str, Mapper[Any]] = {}
        for mapper in self.model.classes.values():
            for above in reversed(list(mapper.iterate_to_root())):
                found.setdefault(getattr(above.local_table, "fullname", ""), above)
        return found

    def mapper(self, table: str) -> Mapper[Any] | None:
        """The class whose objects have their rows in a table; None if there is none."""
        return self._mappers.get(table)

    def table(self, table: str) -> str:
        """`Order`, for the table of orders."""
        mapper = self.mapper(table)
        return table if mapper is None else mapper.class_.__name__

    def member(self, table: str, column: str) -> str:
        """`amount`, for the member of the table's class that has the column."""
        mapper = self.mapper(table)
        known = () if mapper is None else mapper.column_attrs
        return next((prop.key for prop in known if any(one.name == column for one in prop.columns)), column)

    def causes(self, cause: Cause) -> list[str]:
        """What made a cache stale, without saying which object it was: `Order.amount`, `Order, added`. Nothing
        for a first run, which nothing has made stale."""
        table = self.table(cause.table or "")
        if cause.kind == "U":
            return [f"{table}.{self.member(cause.table or '', column)}" for column in cause.columns]
        others = {
            "I": f"{table}, added",
            "D": f"{table}, deleted",
            "T": f"{table}, emptied or migrated",
            "gap": f"{table}, changes that may have been missed",
            "time": "a moment that has passed",
            "hand": "by hand",
        }
        return [others[cause.kind]] if cause.kind in others else []
