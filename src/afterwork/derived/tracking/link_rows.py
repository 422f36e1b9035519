"""Questions for the rows that an association end depends on, and the rows between it and the far ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import Integer, Uuid, select
from sqlalchemy.orm import ClassManager, InstanceState, Session
from sqlalchemy.sql.elements import ColumnClause, ColumnElement

from afterwork.derived.manifest.read_pattern import QueryRead
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.model.key import is_one_of

BATCH = "_afterwork_batch"
"""The attribute of a session with the batch that its objects are loaded for. Its `info` is the application's."""

MEMORY = "_afterwork_links"
"""The attribute of a session without a batch with the rows between that were found."""

AT_ONCE = 500
"""Objects for which one query looks at the rows between."""


class LoadBatch(Protocol):
    """What is loaded together. `memory` is for what was found out for all of it."""

    @property
    def memory(self) -> dict[Any, Any]: ...

    def values(self, manager: ClassManager[Any], members: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The values of these members of all objects of a class."""


@dataclass(frozen=True)
class MemberLookup:
    """Rows of a table were asked for whose columns, as `shape` names them, are equal to these members of the object at
    hand. `broad` is what was asked where the values of the members can't be told."""

    pattern: QueryRead
    members: tuple[str, ...] = ()
    broad: QueryRead | None = None


@dataclass(frozen=True, eq=False)
class LinkRows:
    """The rows between the objects of an end and the far ones. Their columns `near` are equal to `members` of the
    object at hand, `on` to columns of the far rows, which `far` asks for by them: also for those that are yet to come.
    No `far`: `on` are the far primary key. `only`: a condition that rows between must meet."""

    near: tuple[ColumnClause[Any], ...]
    members: tuple[str, ...]
    on: tuple[ColumnClause[Any], ...]
    far: MemberLookup | None
    only: ColumnElement[bool] | None = None

    def values(self, session: Session, state: InstanceState[Any]) -> Iterable[Sequence[Any]]:
        """The values of `on` in the rows between that belong to an object. Where nothing is written meanwhile, one
        query finds those of its siblings, too."""
        mine = tuple(values_of(state, self.members))
        batch: LoadBatch | None = getattr(session, BATCH, None)
        is_sure = getattr(session, "only_reads", False) and all(isinstance(c.type, Integer | Uuid) for c in self.near)
        if not is_sure:
            return [row[len(mine) :] for row in self._rows(session, [mine])]
        memory = vars(session).setdefault(MEMORY, {}) if batch is None else batch.memory
        known: dict[Any, list[Any]] = memory.setdefault(self, {})
        if mine not in known:
            siblings = self._siblings(session, state) if batch is None else batch.values(state.manager, self.members)
            some = [mine, *islice(siblings, AT_ONCE - 1)]
            known |= {values: [] for values in some}
            for row in self._rows(session, some):
                known[tuple(row[: len(mine)])].append(row[len(mine) :])
        return known[mine]

    def _rows(self, session: Session, wanted: Iterable[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        usable = {values for values in wanted if None not in values}
        found = select(*self.near, *self.on).where(is_one_of(self.near, usable)).distinct()
        if self.only is not None:
            found = found.where(self.only)
        with untracked():
            return session.connection().execute(found).all() if usable else ()

    def _siblings(self, session: Session, state: InstanceState[Any]) -> Iterator[tuple[Any, ...]]:
        for other in session.identity_map.all_states():
            if other.mapper is state.mapper and all(name in other.dict for name in self.members):
                yield tuple(other.dict[name] for name in self.members)


def values_of(state: InstanceState[Any], members: Iterable[str]) -> list[Any]:
    """The values of an object's members, loaded if need be, without telling anybody."""
    values = state.dict
    return [values[name] if name in values else state.manager[name].impl.get(state, values) for name in members]
