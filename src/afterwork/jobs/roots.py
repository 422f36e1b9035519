"""Loading the roots of many runs at once, with one query per class."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, bindparam, select, tuple_, type_coerce
from sqlalchemy.orm import Mapper, Session, defer
from sqlalchemy.orm.attributes import instance_state

from afterwork.model.external_id import ExternalId
from afterwork.store.key_lists import padded
from afterwork.store.untracked_statements import ROOT_LOAD, UNTRACKED

OWN = {UNTRACKED: ROOT_LOAD}


class Roots:
    """The queries of classes, each built once, when first needed."""

    def __init__(self) -> None:
        self._one = cache(lambda mapper: self._built(_by_key(mapper)))
        self._one_without = cache(
            lambda mapper, members: self._built(_by_key(mapper).options(*_later(mapper, members)))
        )
        self._many = cache(lambda mapper: self._built(_by_keys(mapper)))
        self._statements: set[Select[Any]] = set()

    def _built(self, statement: Select[Any]) -> Select[Any]:
        self._statements.add(statement)
        return statement

    def is_plain(self, statement: Any) -> bool:
        """Return whether a statement is one of these, unchanged."""
        return statement in self._statements

    def load(self, session: Session, ids: Iterable[ExternalId]) -> Mapping[ExternalId, object]:
        """Return the existing objects among those that external ids name."""
        by_class: dict[Mapper[Any], set[tuple[Any, ...]]] = {}
        for external_id in ids:
            by_class.setdefault(external_id.mapper, set()).add(external_id.key)
        return {
            ExternalId(mapper, tuple(mapper.primary_key_from_instance(obj))): obj
            for mapper, keys in by_class.items()
            for obj in self._objects(session, mapper, list(keys))
            if _is_of(mapper, obj)
        }

    def load_without(self, session: Session, root: ExternalId, members: frozenset[str]) -> object | None:
        """Return an object of which some members are not read until somebody wants them; None if it doesn't exist."""
        statement, values = self._one_without(root.mapper, members), _values(root.key)
        objects = session.scalars(statement, values, execution_options=OWN).unique()
        return next((obj for obj in objects if _is_of(root.mapper, obj)), None)

    def _objects(self, session: Session, mapper: Mapper[Any], keys: list[tuple[Any, ...]]) -> Iterable[object]:
        if len(keys) == 1:
            return session.scalars(self._one(mapper), _values(keys[0]), execution_options=OWN).unique()
        values = {"keys": padded([key[0] for key in keys] if len(mapper.primary_key) == 1 else keys)}
        return session.scalars(self._many(mapper), values, execution_options=OWN).unique()


def _is_of(mapper: Mapper[Any], obj: object) -> bool:
    """Return whether an object has the keys of a class. Subclasses with tables of their own have others."""
    identity: Any = instance_state(obj).key
    return bool(identity[0] is mapper.identity_key_from_primary_key(())[0])


def _name(part: int) -> str:
    return f"key_{part}"


def _values(key: tuple[Any, ...]) -> dict[str, Any]:
    return {_name(part): value for part, value in enumerate(key)}


def _later(mapper: Mapper[Any], members: frozenset[str]) -> Iterable[Any]:
    return (defer(getattr(mapper.class_, member)) for member in sorted(members))


def _wide(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Make a key column comparable with any integer: PostgreSQL fails on one beyond the column's range."""
    return type_coerce(column, BigInteger()) if isinstance(column.type, Integer) else column


def _by_key(mapper: Mapper[Any]) -> Select[Any]:
    parts = enumerate(map(_wide, mapper.primary_key))
    return select(mapper.class_).where(*(column == bindparam(_name(part)) for part, column in parts))


def _by_keys(mapper: Mapper[Any]) -> Select[Any]:
    columns = [_wide(column) for column in mapper.primary_key]
    subject = columns[0] if len(columns) == 1 else tuple_(*columns)
    return select(mapper.class_).where(subject.in_(bindparam("keys", expanding=True)))
