"""Touches: the few values of a changed row by which a route goes on, and the comparisons that they allow."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.types import TypeEngine

from afterwork.store.journal.tracked_table import TrackedTable

BY_ANY_COLLATION = {
    operators.eq,
    operators.ne,
    operators.is_,
    operators.is_not,
    operators.is_distinct_from,
    operators.is_not_distinct_from,
    operators.in_op,
    operators.not_in_op,
}
"""Operators whose outcome depends on no collation, as the order of texts does."""


@dataclass(frozen=True)
class ComparedColumn:
    """A column of a row that takes part in a comparison."""

    table: TrackedTable
    name: str

    @property
    def form(self) -> str:
        """The name of the form of its values; "" if it is not captured."""
        form = self.table.forms.get(self.name)
        return "" if form is None else form.name

    @property
    def type(self) -> TypeEngine[Any]:
        return self.table.column(self.name).type


class TouchValues(ABC):
    """The values that touches hold in one kind of database."""

    @abstractmethod
    def can_hold(self, column: ComparedColumn) -> bool:
        """Return whether a touch keeps the values of a column without loss."""

    @abstractmethod
    def type_of(self, column: ComparedColumn) -> TypeEngine[Any]:
        """Return the type in which a touch gives back the values of a column."""

    @abstractmethod
    def read(self, value: ColumnElement[Any], column: ComparedColumn) -> ColumnElement[Any]:
        """Return a value of a touch as one of the column."""

    @abstractmethod
    def comparison(
        self, comparison: BinaryExpression[bool], column: ComparedColumn, other: Any
    ) -> ColumnElement[bool] | None:
        """Return a comparison of a column that means the same for a touch's value; None if there is none.

        `other` is what it is compared with: another column, a parameter, or a constant.
        """
