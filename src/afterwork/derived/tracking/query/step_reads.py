"""Reads that a step of a plan comes to, once its values are known."""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import Dialect

from afterwork.derived.manifest.read_pattern import Key, QueryRead
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query.flat_query import ConstantSource, ParameterSource, ValueSource
from afterwork.derived.tracking.query.read_plan import Branch, ReadStep
from afterwork.store.journal.tracked_table import joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of

MAX_QUERIES = 100
"""A statement that asks one table for more values than that asks for all of them."""

MAX_ROWS = 10_000
"""What depends on more rows than that depends on all."""


class StepReads:
    """The questions of one step, for one set of parameters."""

    def __init__(self, step: ReadStep, parameters: Mapping[str, Any], dialect: Dialect) -> None:
        self.step = step
        self._dialect = dialect
        known = {name: _values(source, parameters) for name, source in step.equal.items() if not _is_link(step, name)}
        self._known = self._possible(known)
        self._names = [name for name in step.equal if name in self._known or _is_link(step, name)]
        self._is_by_key = step.is_by_key and len(self._names) == len(step.equal)

    def ask(self, reads: Reads, linked: Sequence[Any] = ()) -> None:
        """Put down the questions, with these values in the columns with links."""
        links = self.step.links
        if any(value is None and not link.nulls for (_, link), value in zip(links, linked, strict=True)):
            return  # nothing is equal to null
        values = {**self._known, **{name: [value] for (name, _), value in zip(links, linked, strict=True)}}
        for chosen in product(*(values[name] for name in self._names)):
            if self._is_by_key:
                self._ask_by_key(reads, dict(zip(self._names, chosen, strict=True)))
            else:
                self._ask(reads, self._names, chosen)

    def ask_widely(self, reads: Reads) -> None:
        """Put down the questions that cover all values in the columns with links, and the values of all rows."""
        names = [name for name in self._names if name in self._known]
        for chosen in product(*(self._known[name] for name in names)):
            self._ask(reads, names, chosen, widely=True)

    def row(self, reads: Reads, values: Sequence[Any]) -> None:
        """Put down that a row takes part."""
        if all(value is None for value in values):
            return  # nothing was joined
        key = self.key(values)
        if key is None:
            self.ask_widely(reads)
        else:
            reads.add_row(self.step.table.id, key, self.step.valued)

    def _ask_by_key(self, reads: Reads, values: Mapping[str, Any]) -> None:
        watch = self.step.table
        parts = [values[column.name] for column in watch.key]
        if None in parts and not any(link.nulls for _, link in self.step.links):
            return
        key = None if None in parts else self.key(parts)
        if key is None:
            self._ask(reads, [], [], widely=True)
        else:
            reads.add_row(watch.id, key, self.step.deciding | self.step.valued)

    def _ask(self, reads: Reads, names: Sequence[str], values: Sequence[Any], *, widely: bool = False) -> None:
        step = self.step
        try:
            key = joined([self._text(name, value) for name, value in zip(names, values, strict=True)])
        except BAD_VALUE:
            names, key, widely = [], "", True
        columns = step.deciding | step.table.mask(step.equal.keys() - set(names) - {c.name for c in step.table.key})
        if widely or not step.by_row:
            columns |= step.valued
        reads.add_query(QueryRead(step.table.id, tuple(names), columns), key)

    def key(self, parts: Sequence[Any]) -> Key | None:
        """The journal's key of a row; None where it has none."""
        watch = self.step.table
        if watch.has_plain_key and type(parts[0]) is int:
            return parts[0]
        try:
            return key_of(watch, parts, self._dialect)
        except BAD_VALUE:
            return None

    def _text(self, name: str, value: Any) -> str | None:
        return text_of(self.step.table, name, value, self._dialect)

    def _possible(self, known: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Without the columns whose values can't be asked for: they are no values, or too many."""
        found = {}
        for name, values in known.items():
            try:
                for value in values:
                    self._text(name, value)
            except BAD_VALUE:
                continue
            found[name] = values
        most = MAX_ROWS if self.step.is_by_key else MAX_QUERIES
        while prod(map(len, found.values())) > most:
            del found[max(found, key=lambda name: len(found[name]))]
        return found


def add_branch_row(branch: Branch, asked: Mapping[ReadStep, StepReads], row: Sequence[Any], reads: Reads) -> None:
    """Put down what a row of the provenance query says in the columns of one branch."""
    start = 0
    for step in branch.linked:
        asked[step].ask(reads, row[start : start + len(step.links)])
        start += len(step.links)
    for step in branch.rows:
        asked[step].row(reads, row[start : start + len(step.table.key)])
        start += len(step.table.key)


def _is_link(step: ReadStep, name: str) -> bool:
    return not isinstance(step.equal[name], ConstantSource | ParameterSource)


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
