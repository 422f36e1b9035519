"""Mappers of ticket classes: what SQLAlchemy does in bulk inserts and merges, without any event; and all there are."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from sqlalchemy.orm import Mapper, Session, mapperlib
from sqlalchemy.util import HasMemoized

AfterMerge = Callable[[Session, dict[str, Any], dict[str, Any], bool], None]
"""Called with the session, the `__dict__` of the given object and of the merged one, and merge's `load`."""


class _StrictColumns(dict[str, Any]):
    """The columns of a class by attribute, with one name that must not be looked up."""

    def __init__(self, columns: dict[str, Any], name: str, refuse: Callable[[], NoReturn]) -> None:
        super().__init__(columns, **{name: None})
        self._name, self._refuse = name, refuse

    def __getitem__(self, name: str) -> Any:
        if name == self._name:
            self._refuse()
        return super().__getitem__(name)


class _BulkCheckedMapper(Mapper[Any]):
    """A mapper that refuses mappings with a certain key."""

    inherit_cache = True
    refused_key: tuple[str, Callable[[], NoReturn]]

    @HasMemoized.memoized_attribute
    def _propkey_to_col(self) -> Any:  # SQLAlchemy forgets it whenever the class is given another attribute
        columns = Mapper._propkey_to_col.fget(self)
        return {table: _StrictColumns(by_name, *self.refused_key) for table, by_name in columns.items()}


def all_mappers() -> Iterator[Mapper[Any]]:
    """Yield the mappers of all models of this process: SQLAlchemy lists its registries nowhere else."""
    for model in mapperlib._all_registries():
        yield from model.mappers


def refuse_in_bulk(mapper: Mapper[Any], key: str, refuse: Callable[[], NoReturn]) -> None:
    """Call `refuse`, which raises, when `bulk_insert_mappings` or `insert()` is given a mapping with this key.

    Replaces the mapper's class to override `Mapper._propkey_to_col`, in which SQLAlchemy looks up each key of a
    mapping. It drops unknown keys in silence, and no event tells of them. SQLAlchemy 2.0 also asks the attribute of the
    class, by `_bulk_update_tuples`, for what `insert().values()` is to write.
    """
    mapper.__class__ = _BulkCheckedMapper
    mapper.refused_key = key, refuse  # type: ignore[attr-defined]
    attribute = getattr(mapper.class_, key, None)
    if attribute is not None:
        attribute._bulk_update_tuples = lambda _: refuse()


def after_merge(mapper: Mapper[Any], attribute: str, then: AfterMerge) -> None:
    """Call `then` when `session.merge()` has merged an attribute of a class.

    Replaces the property's class to override `MapperProperty.merge`: no event is sent for the objects of a merge. Uses
    `get_property(_configure_mappers=False)`, since other mappers may not be ready to be configured yet.
    """
    prop = mapper.get_property(attribute, _configure_mappers=False)
    kind = type(prop)

    def merge(
        self: Any, session: Session, source: Any, source_dict: Any, dest: Any, dest_dict: Any, *rest: Any
    ) -> None:
        kind.merge(self, session, source, source_dict, dest, dest_dict, *rest)
        then(session, source_dict, dest_dict, rest[0])

    names = {"__slots__": (), "inherit_cache": True, "merge": merge}
    prop.__class__ = type(f"Merged{kind.__name__}", (kind,), names)
