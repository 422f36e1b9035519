"""Select the external ids of the objects that criteria match, whatever their keys contain.

A key that the driver can't return (an infinite date, text that is not UTF-8) would hide all other rows of its
statement. Such an object is located by bisection and gets an id that leads to no object: its match fails with that
reason.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select, Subquery, Text, cast, func, select
from sqlalchemy.orm import Mapper, Session

from afterwork.model.external_id import ExternalId, placeholder_id
from afterwork.store.readable_values import UndecodableText, reading_any_text


def found_by(session: Session, keys: Select[Any], root: Mapper[Any]) -> Iterator[str]:
    """Yield the external ids of the rows of a query for keys, in order. Some may be repeated."""
    with reading_any_text(session.connection()):
        result = session.execute(keys)
        try:
            for row in result:
                yield _named(root, row)
        except Exception:
            yield from _by_halves(session, _numbered(keys), root)


def _named(root: Mapper[Any], row: Sequence[Any]) -> str:
    key = tuple(row)
    is_damaged = any(isinstance(part, UndecodableText) for part in key)
    return placeholder_id(root, key) if is_damaged else str(ExternalId(root, key))


def _numbered(keys: Select[Any]) -> Subquery:
    numbered = keys.subquery()
    return select(*numbered.c, func.row_number().over().label("afterwork_place")).subquery()


def _by_halves(session: Session, numbered: Subquery, root: Mapper[Any]) -> Iterator[str]:
    *key, place = numbered.c
    count = session.execute(select(func.count()).select_from(numbered)).scalar_one()
    parts = [(1, count + 1)] if count else []
    while parts:
        first, end = parts.pop()
        part = select(*key).where(place >= first, place < end).order_by(place)
        try:
            ids = [_named(root, row) for row in session.execute(part)]
        except Exception:
            if end - first == 1:
                ids = [placeholder_id(root, _as_texts(session, part))]
            else:
                middle = (first + end) // 2
                parts += [(middle, end), (first, middle)]
                continue
        yield from ids


def _as_texts(session: Session, query: Select[Any]) -> Sequence[Any]:
    texts = [cast(column, Text) for column in query.selected_columns]
    return tuple(session.execute(query.with_only_columns(*texts)).one())
