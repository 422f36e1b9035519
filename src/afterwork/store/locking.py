"""Locks that transactions of the application's own sessions take, and hold until they end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Executable


class Locks(ABC):
    """The locks in one kind of database."""

    @abstractmethod
    def lock_row(self, connection: Connection, column: Column[Any], same: Sequence[ColumnElement[bool]]) -> bool:
        """Lock the row of a column's table that meets conditions. Return whether there is one."""

    @abstractmethod
    def lock_name(self, name: str, column: Column[Any], same: ColumnElement[bool]) -> Executable:
        """Return the statement for a lock on a name, which stands for rows of a column's table with the `same`."""
