"""The tracked tables, and the journal's numbers for them and their columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import VARCHAR, BigInteger, Column, Integer, SmallInteger, String, Table, Text, Unicode, UnicodeText

from afterwork.errors import NotWatched
from afterwork.store.journal.text_forms import Forms, TextForm, is_linked
from afterwork.store.journal.unwatched import is_unwatched

LAST_BIT = 62
"""The bit that all further columns share: a set of columns is a whole number of 63 bits."""

PART = "\x1f"
"""The separator between the parts of a key with several columns."""

NULL = "\x00"
"""A part that is null."""

NUMBERS = (Integer, BigInteger, SmallInteger)
"""Types whose values are the same in Python as in the database."""

TEXTS = (String, Text, VARCHAR, Unicode, UnicodeText)
"""The same for texts."""

EVERY_COLUMN = (1 << (LAST_BIT + 1)) - 1


def is_number(key: Sequence[TextForm | None]) -> bool:
    """Return whether a key in these forms is a single whole number."""
    return [None if form is None else form.name for form in key] == ["integer"]


def joined(parts: Iterable[str | None]) -> str:
    """Return the key for the values of several columns, as the journal has them."""
    return PART.join(NULL if part is None else part for part in parts)


@dataclass(frozen=True, eq=False)
class NumberedColumns:
    """The columns of a tracked table, which need not be in the model. `columns` are in the order of their bits,
    `valued` are those whose values the journal keeps, in its order. Both only ever grow: a column that is gone keeps
    its position."""

    columns: tuple[str, ...]
    valued: tuple[str, ...]

    @cached_property
    def _bits(self) -> Mapping[str, int]:
        return {name: 1 << min(place, LAST_BIT) for place, name in enumerate(self.columns)}

    def mask(self, names: Iterable[str]) -> int:
        """Return the set of the columns with these names. A column that is left out of capture is in no set."""
        mask = 0
        for name in names:
            mask |= self._bits.get(name, 0)
        return mask

    def names(self, mask: int) -> Iterator[str]:
        """Return the names of the columns in a set."""
        return (name for name, bit in self._bits.items() if bit & mask)


@dataclass(frozen=True, eq=False)
class TrackedTable(NumberedColumns):
    """A tracked table of the model. `forms` says how the values of its columns are written."""

    id: int
    table: Table
    forms: Forms

    @cached_property
    def key(self) -> tuple[Column[object], ...]:
        """Return the columns of the primary key. Empty for a table without one, whose rows can't be told apart."""
        return tuple(self.table.primary_key.columns)

    @cached_property
    def has_number_key(self) -> bool:
        """Return whether the key is a single whole number, which the journal keeps as such."""
        return is_number(self._key_forms)

    @cached_property
    def has_plain_key(self) -> bool:
        """Return whether the key is a single whole number, also in Python."""
        return self.has_number_key and self.is_plain(self.key[0].name)

    @cached_property
    def has_certain_key(self) -> bool:
        """Return whether all parts of the key are whole numbers or texts, which Python writes as it has read them."""
        return bool(self.key) and all(self.is_plain(column.name) or self._is_text(column.name) for column in self.key)

    def _is_text(self, name: str) -> bool:
        form = self.forms.get(name)
        return form is not None and form.name == "text" and type(self.column(name).type) in TEXTS

    @cached_property
    def has_sure_key(self) -> bool:
        """Return whether keys that are the same in Python always have a single key in the journal."""
        return bool(self.key) and all(form is not None and form.is_exact for form in self._key_forms)

    @property
    def _key_forms(self) -> list[TextForm | None]:
        return [self.forms.get(column.name) for column in self.key]

    def is_asked(self, name: str) -> bool:
        """Return whether rows can be looked up by their values in a column."""
        return name in self._asked

    @cached_property
    def _asked(self) -> set[str]:
        return {name for name in self.valued if name in self.forms and self.forms[name].is_exact}

    def is_linked(self, name: str, other: "TrackedTable", its_name: str) -> bool:
        """Return whether rows can be looked up in a column by the values of another table's column."""
        return self.is_asked(name) and is_linked(self.forms.get(name), other.forms.get(its_name))

    def is_plain(self, name: str) -> bool:
        """Return whether a column has whole numbers, which are the same in Python."""
        form = self.forms.get(name)
        return form is not None and form.name == "integer" and type(self.column(name).type) in NUMBERS

    def mask_of_reads(self, names: Iterable[str], what: str) -> int:
        """Return the set of columns that were read. Raises `NotWatched`, saying that `what` was read, if changes of one
        are not captured, and nothing says that this is intended."""
        read = [*names]
        for name in read:
            if name not in self._bits and name in self._by_name and not is_unwatched(self._by_name[name]):
                raise NotWatched(what, f"{self.table.fullname}.{name}")
        return self.mask(read)

    def column(self, name: str) -> Column[object]:
        """Return the column with this name in the database, which need not be its key in Python."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Column[object]]:
        return {column.name: column for column in self.table.columns}


class TrackedTables:
    def __init__(self, tracked_tables: Iterable[TrackedTable]) -> None:
        self.by_id: Mapping[int, TrackedTable] = {tracked_table.id: tracked_table for tracked_table in tracked_tables}
        self._by_table = {tracked_table.table: tracked_table for tracked_table in self.by_id.values()}

    def __iter__(self) -> Iterator[TrackedTable]:
        return iter(self.by_id.values())

    def of(self, table: object) -> TrackedTable | None:
        return self._by_table.get(table) if isinstance(table, Table) else None
