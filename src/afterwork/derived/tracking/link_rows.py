"""Lookups by an object's members, and the link rows between an object and those that a relationship leads to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import Integer, Uuid, select
from sqlalchemy.orm import ClassManager, InstanceState, Session
from sqlalchemy.sql.elements import ColumnClause, ColumnElement

from afterwork.compat.sqlalchemy_objects import load_member
from afterwork.derived.manifest.reads import QueryRead
from afterwork.derived.tracking.hidden_state import (
    LINK_ROWS,
    LOAD_BATCH,
    attach_to_session,
    attached_to_session,
    untracked,
)
from afterwork.model.key import is_one_of

MAX_OBJECTS_PER_QUERY = 500
"""Objects for which one query loads a relationship, or its link rows."""


class LoadBatch(Protocol):
    """The objects that are loaded together. `link_rows` keeps what was loaded for all of them."""

    @property
    def link_rows(self) -> dict[Any, Any]: ...

    def values(self, manager: ClassManager[Any], members: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of these members, for each object of a class that has them loaded."""


@dataclass(frozen=True)
class MemberLookup:
    """A lookup of rows whose `pattern.equal` columns match these members of the object at hand.

    `broad` is the query read where the journal can't have the members' values.
    """

    pattern: QueryRead
    members: tuple[str, ...] = ()
    broad: QueryRead | None = None


@dataclass(frozen=True, eq=False)
class LinkRows:
    """The link rows between the objects that have a relationship and the remote ones.

    Their `near` columns equal `members` of the object at hand, their `on` columns equal columns of the remote rows.
    `remote_lookup` looks those up, including rows yet to come; without it, `on` is the remote primary key. `condition`
    narrows the link rows.
    """

    near: tuple[ColumnClause[Any], ...]
    members: tuple[str, ...]
    on: tuple[ColumnClause[Any], ...]
    remote_lookup: MemberLookup | None
    condition: ColumnElement[bool] | None = None

    def values(self, session: Session, state: InstanceState[Any]) -> Iterable[Sequence[Any]]:
        """Return the values of `on` in the link rows of an object.

        Where nothing is written meanwhile, one query loads those of its whole batch.
        """
        own = tuple(values_of(state, self.members))
        batch: LoadBatch | None = attached_to_session(session, LOAD_BATCH)
        if not self._can_keep(session):
            return [row[len(own) :] for row in self._load(session, [own])]
        known = self._known_rows(session, batch)
        if own not in known:
            others = self._loaded_values(session, state) if batch is None else batch.values(state.manager, self.members)
            wanted = [own, *islice(others, MAX_OBJECTS_PER_QUERY - 1)]
            known |= {values: [] for values in wanted}
            for row in self._load(session, wanted):
                known[tuple(row[: len(own)])].append(row[len(own) :])
        return known[own]

    def _can_keep(self, session: Session) -> bool:
        """Return whether link rows stay as loaded, and Python tells their values apart as the database does."""
        return getattr(session, "only_reads", False) and all(isinstance(c.type, Integer | Uuid) for c in self.near)

    def _known_rows(self, session: Session, batch: LoadBatch | None) -> dict[Any, list[Any]]:
        rows = attached_to_session(session, LINK_ROWS) if batch is None else batch.link_rows
        if rows is None:
            rows = {}
            attach_to_session(session, LINK_ROWS, rows)
        by_near_values: dict[Any, list[Any]] = rows.setdefault(self, {})
        return by_near_values

    def _load(self, session: Session, wanted: Iterable[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        usable = {values for values in wanted if None not in values}
        if not usable:
            return ()
        query = select(*self.near, *self.on).where(is_one_of(self.near, usable)).distinct()
        if self.condition is not None:
            query = query.where(self.condition)
        with untracked():
            return session.connection(bind_arguments={"clause": query}).execute(query).all()

    def _loaded_values(self, session: Session, state: InstanceState[Any]) -> Iterator[tuple[Any, ...]]:
        for other in session.identity_map.all_states():
            if other.mapper is state.mapper and all(name in other.dict for name in self.members):
                yield tuple(other.dict[name] for name in self.members)


def values_of(state: InstanceState[Any], members: Iterable[str]) -> list[Any]:
    """Return the values of an object's members, loaded if need be, without recording that."""
    values = state.dict
    return [values[name] if name in values else load_member(state, name) for name in members]
