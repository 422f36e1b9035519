"""A derivation as the database knows it, and its objects by their keys in the journal."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect

from afterwork.derived.tracking.class_extent import ClassExtent
from afterwork.errors import MalformedExternalId, UnnamedObject, shown
from afterwork.model.derivation import Derivation, MemberDerivation
from afterwork.model.external_id import parse, placeholder_id, root_id
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import is_written_otherwise


@dataclass(frozen=True, eq=False)
class RegisteredDerivation:
    """A derivation of the model, with its number in this database.

    `table` is the tracked table of its roots, `target` the one that its values are stored in (None if it is no derived
    member), `objects` are those that have a cache of it. `state` is what a machine writes, in the form of
    `target_column`. With a `plan`, the database refreshes its values in sets, and no object has a row of its own;
    `why_not_in_sets` is the reason why one with a SQL side has none.
    """

    id: int
    declaration: Derivation
    table: TrackedTable
    target: TrackedTable | None
    objects: ClassExtent
    state: tuple[int, int] | None = None
    plan: RefreshPlan | None = None
    why_not_in_sets: str | None = None

    @property
    def checksum(self) -> str:
        """A text that changes when the code does, or the way in which values are kept right."""
        if self.plan is None:
            return self.declaration.checksum
        return f"{self.declaration.checksum} in sets by {sorted(self.plan.routes)}"

    @property
    def name(self) -> str:
        return self.declaration.name

    @cached_property
    def target_column(self) -> tuple[int, int] | None:
        """The number of the table and the mask of the column that it writes. None for a view model."""
        if not isinstance(self.declaration, MemberDerivation) or self.target is None:
            return None
        return self.target.id, self.target.mask([self.declaration.column.name])

    def root_of(self, key: int | str, dialect: Dialect, table: TrackedTable | None = None) -> str:
        """Return the external id of the object whose row has this key in the journal.

        The row is one of the root's table, or of another `table` of its class. Raises `UnnamedObject`.
        """
        mapper = self.declaration.root
        if is_written_otherwise(table or self.table, key, dialect):
            raise self.unfound(key, table or self.table)
        try:
            if (table is None or table is self.table) and type(key) is int and self.table.has_plain_key:
                return root_id(mapper, (key,))
            return root_id(mapper, self.objects.identity(table or self.table, key, dialect))
        except Exception as error:  # whatever the types of the model raise
            why = f"A row of {self.table.table.fullname} has the key {shown(key)}: {error}"
            raise UnnamedObject(placeholder_id(mapper, key), why) from error

    def root_with(self, connection: Connection, key: Sequence[Any]) -> str:
        """Return the external id of the object with this primary key. Raises `UnnamedObject`."""
        mapper, identity = self.declaration.root, tuple(key)
        try:
            return root_id(mapper, identity)
        except Exception as error:  # whatever the types of the model raise
            row_key = self.objects.row_keys(connection, self.table, [identity]).get(identity, identity)
            why = f"A row of {self.table.table.fullname} has the key {shown(row_key)}: {error}"
            raise UnnamedObject(placeholder_id(mapper, row_key), why) from error

    def name_with(self, connection: Connection, key: Sequence[Any]) -> str:
        """Return the external id of the object with this primary key or, if it can have none, its placeholder."""
        try:
            return self.root_with(connection, key)
        except UnnamedObject as error:
            return error.root

    def roots_of(
        self, keys: Iterable[int | str], dialect: Dialect, missed: Collection[int | str] = ()
    ) -> tuple[list[str], list[UnnamedObject]]:
        """Return the external ids of the objects with these keys, and the objects that have none.

        Objects with keys in `missed` have none either: the model doesn't find their rows.
        """
        named: list[str] = []
        unnamed: list[UnnamedObject] = []
        for key in keys:
            if key in missed:
                unnamed.append(self.unfound(key, self.table))
                continue
            try:
                named.append(self.root_of(key, dialect))
            except UnnamedObject as error:
                unnamed.append(error)
        return named, unnamed

    def unfound(self, key: int | str, table: TrackedTable) -> UnnamedObject:
        """Return the object of a row that the model doesn't find by the key that it reads from it."""
        why = (
            f"A row of {table.table.fullname} has the key {shown(key)}, which is written in another way than the model "
            "writes it, so that the model finds no such row."
        )
        return UnnamedObject(placeholder_id(self.declaration.root, key), why)

    def existing(self, connection: Connection, roots: Iterable[str]) -> set[str]:
        """Return those external ids that name an object now. One that can't be read names none."""
        keys: dict[tuple[Any, ...], str] = {}
        for root in roots:
            with suppress(MalformedExternalId):
                keys[self.key_of(root)] = root
        return {keys[key] for key in self.objects.existing(connection, keys)}

    def key_of(self, root: str) -> tuple[Any, ...]:
        mapper = self.declaration.root
        return parse(root, {mapper.class_.__name__: mapper}).key
