"""Mapped objects as arguments: JSON has their external ids, and a run loads them again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.errors import Unfit
from afterwork.model.arguments.kind import Kind, Objects, Tree


@dataclass(frozen=True, eq=False)
class Reference:
    """An object in JSON that is still to be written: its external id is not known before it is saved."""

    obj: Any

    @property
    def text(self) -> str | None:
        """The external id of the object; None while a part of its key isn't known."""
        from afterwork.model.external_id import ExternalId, external_id_or_none  # it knows the keys of all databases

        state = inspect(self.obj)
        if state.identity is not None:  # an object that has expired need not be loaded for its key
            return str(ExternalId(state.mapper, tuple(state.identity)))
        return external_id_or_none(self.obj)


class ObjectKind(Kind):
    """Objects of one mapped class of the model, or of its subclasses."""

    def __init__(self, mapper: Mapper[Any]) -> None:
        self.mapper = mapper
        self.wanted = f"an object of class {mapper.class_.__name__}"

    def write(self, value: Any, where: str) -> Tree:
        if not isinstance(value, self.mapper.class_) or inspect(value, raiseerr=False) is None:
            raise self.unfit(value, where)
        return Reference(value)

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not isinstance(tree, str):
            raise Unfit(where, f"the external id of {self.wanted}", repr(tree))
        return objects(tree, self.mapper.class_, where)


def references(tree: Tree) -> Iterator[Reference]:
    """Yield the objects in JSON."""
    match tree:
        case Reference():
            yield tree
        case list():
            for each in tree:
                yield from references(each)
        case dict():
            for each in tree.values():
                yield from references(each)


def texts(tree: Tree) -> Iterator[str]:
    """Yield the texts in JSON, keys left out: external ids are among them."""
    match tree:
        case str():
            yield tree
        case list():
            for each in tree:
                yield from texts(each)
        case dict():
            for each in tree.values():
                yield from texts(each)
