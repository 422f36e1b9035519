"""The results of works, as their tickets keep them. What can't be kept is told, and fails nothing."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import JSON

from afterwork.errors import Unfit
from afterwork.events import Events, ResultNotKept
from afterwork.model.arguments.kind import Tree
from afterwork.model.arguments.result import PLACE, WorkResult, text_of
from afterwork.model.contract import Contract


class Results:
    """Makes of what works return what their tickets keep. What can't be kept is told once for each work.

    `contract` is that of the tickets, which may keep none; `limit` is the number of bytes of one.
    """

    def __init__(self, contract: Contract, events: Events, limit: int) -> None:
        self._events = events
        self._column = None if contract.result is None else contract.result.column
        length = None if self._column is None else getattr(self._column.type, "length", None)
        self._limit = limit if length is None else min(limit, length)
        self._told: set[str] = set()

    def kept(self, work: str, result: WorkResult, value: Any) -> "KeptResult | None":
        """Return what is kept of a value that a work has returned; None if there is nothing to keep."""
        if value is None or self._column is None or result.is_nothing:
            return None
        try:
            return KeptResult(self, work, result.written(value))
        except Exception as error:  # whatever the value's own class raises, the work is done
            self._tell(work, error)
            return None

    def text(self, work: str, tree: Tree) -> str | None:
        """Return a result as its ticket's row has it; None if it can't be kept. The objects in it must be saved."""
        try:
            return self._fitting(text_of(tree))
        except Exception as error:
            self._tell(work, error)
            return None

    def _fitting(self, text: str) -> str:
        if len(text) > self._limit:
            raise Unfit(PLACE, f"at most {self._limit:,} bytes of JSON", f"{len(text):,}")
        if isinstance(getattr(self._column, "type", None), JSON) and any(code in text for code in UNKEPT):
            raise Unfit(PLACE, "characters that a column of JSON keeps", "a null character, or half of one")
        return text

    def _tell(self, work: str, error: Exception) -> None:
        if work not in self._told:
            self._told.add(work)
            self._events.emit(ResultNotKept(work, f"{type(error).__name__}: {error}"))


UNKEPT = ("\\u0000", "\\ud8", "\\ud9", "\\uda", "\\udb", "\\udc", "\\udd", "\\ude", "\\udf")
"""Escapes that PostgreSQL's type jsonb refuses, alone or if they don't come in pairs."""


@dataclass(frozen=True)
class KeptResult:
    """A result that a work has returned. The objects in it may get their external ids only when the run is saved."""

    results: Results
    work: str
    tree: Tree

    @cached_property
    def text(self) -> str | None:
        """The result as JSON; None if it turned out that it can't be kept."""
        return self.results.text(self.work, self.tree)
