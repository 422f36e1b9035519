"""The reads of one step of a plan, once its values are known."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import Dialect

from afterwork.derived.manifest.reads import QueryRead, ReadKey, Reads
from afterwork.derived.tracking.query.flat_query import ColumnSource, ConstantSource, ParameterSource, ValueSource
from afterwork.derived.tracking.query.read_plan import ProvenanceBranch, ReadStep
from afterwork.store.journal.tracked_table import joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of

MAX_QUERIES = 100
"""Query reads of one table by one statement. One that needs more reads all rows."""

MAX_ROWS = 10_000
"""Row reads of one statement. One that needs more reads all rows."""


class StepReads:
    """The reads of one step, for one set of parameters."""

    def __init__(self, step: ReadStep, parameters: Mapping[str, Any], dialect: Dialect) -> None:
        self.step = step
        self._dialect = dialect
        given = {name: source for name, source in step.equal.items() if not isinstance(source, ColumnSource)}
        self._values = self._usable({name: _values(source, parameters) for name, source in given.items()})
        self._names = [name for name in step.equal if name in self._values or name not in given]
        self._is_by_key = step.is_by_key and len(self._names) == len(step.equal)

    def add_queries(self, reads: Reads, linked: Sequence[Any] = ()) -> None:
        """Add the query reads, with `linked` as the values of the columns that equal a column of another table."""
        links = self.step.links
        if any(value is None and not link.nulls for (_, link), value in zip(links, linked, strict=True)):
            return  # nothing equals null
        values = {**self._values, **{name: [value] for (name, _), value in zip(links, linked, strict=True)}}
        for chosen in product(*(values[name] for name in self._names)):
            if self._is_by_key:
                self._add_by_key(reads, dict(zip(self._names, chosen, strict=True)))
            else:
                self._add_query(reads, self._names, chosen)

    def add_broad_queries(self, reads: Reads) -> None:
        """Add query reads that cover all values of the linked columns, and the values of all rows."""
        names = [name for name in self._names if name in self._values]
        for chosen in product(*(self._values[name] for name in names)):
            self._add_query(reads, names, chosen, broad=True)

    def add_row(self, reads: Reads, key_parts: Sequence[Any]) -> None:
        """Add the read of a row that takes part."""
        if all(part is None for part in key_parts):
            return  # nothing was joined
        key = self.key(key_parts)
        if key is None:
            self.add_broad_queries(reads)
        else:
            reads.add_row(self.step.table.id, key, self.step.valued)

    def _add_by_key(self, reads: Reads, values: Mapping[str, Any]) -> None:
        table = self.step.table
        parts = [values[column.name] for column in table.key]
        if None in parts and not any(link.nulls for _, link in self.step.links):
            return
        key = None if None in parts else self.key(parts)
        if key is None:
            self._add_query(reads, [], [], broad=True)
        else:
            reads.add_row(table.id, key, self.step.deciding | self.step.valued)

    def _add_query(self, reads: Reads, names: Sequence[str], values: Sequence[Any], *, broad: bool = False) -> None:
        step = self.step
        try:
            key = joined([self._text(name, value) for name, value in zip(names, values, strict=True)])
        except BAD_VALUE:
            names, key, broad = [], "", True
        columns = step.deciding | step.table.mask(step.equal.keys() - set(names) - {c.name for c in step.table.key})
        if broad or not step.by_row:
            columns |= step.valued
        reads.add_query(QueryRead(step.table.id, tuple(names), columns), key)

    def key(self, parts: Sequence[Any]) -> ReadKey | None:
        """Return the journal's key of a row; None where it has none."""
        table = self.step.table
        if table.has_plain_key and type(parts[0]) is int:
            return parts[0]
        try:
            return key_of(table, parts, self._dialect)
        except BAD_VALUE:
            return None

    def _text(self, name: str, value: Any) -> str | None:
        return text_of(self.step.table, name, value, self._dialect)

    def _usable(self, values_by_name: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Drop the columns that a query can't be narrowed by: their values are invalid, or too many."""
        usable = {name: values for name, values in values_by_name.items() if self._are_valid(name, values)}
        limit = MAX_ROWS if self.step.is_by_key else MAX_QUERIES
        while prod(map(len, usable.values())) > limit:
            del usable[max(usable, key=lambda name: len(usable[name]))]
        return usable

    def _are_valid(self, name: str, values: Sequence[Any]) -> bool:
        try:
            for value in values:
                self._text(name, value)
        except BAD_VALUE:
            return False
        return True


def add_branch_row(
    branch: ProvenanceBranch, step_reads: Mapping[ReadStep, StepReads], row: Sequence[Any], reads: Reads
) -> None:
    """Add what a row of the provenance query says in the columns of one branch."""
    start = 0
    for step in branch.linked:
        step_reads[step].add_queries(reads, row[start : start + len(step.links)])
        start += len(step.links)
    for step in branch.rows:
        step_reads[step].add_row(reads, row[start : start + len(step.table.key)])
        start += len(step.table.key)


def _values(source: ValueSource, parameters: Mapping[str, Any]) -> list[Any]:
    match source:
        case ConstantSource():
            return [source.value]
        case ParameterSource():
            bound = source.parameter
            value = parameters.get(bound.key, bound.effective_value)
            return list(value or ()) if source.many else [value]
        case _:
            return []
