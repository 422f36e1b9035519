"""Kinds of values that hold others: lists, tuples, sets, dicts, and values of one of several kinds."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from afterwork.errors import Unfit
from afterwork.model.arguments.kind import Kind, Objects, Tree
from afterwork.model.arguments.scalars import SCALARS


class ItemsKind(Kind):
    """Values of one kind in a row: a list, a tuple of any length, or a set, which is written in a fixed order.

    `accepts` are the classes of what may be given, `make` builds what comes back.
    """

    def __init__(
        self, item: Kind, accepts: tuple[type, ...], make: Callable[[Iterable[Any]], Collection[Any]], wanted: str
    ) -> None:
        self.item, self.accepts, self.make, self.wanted = item, accepts, make, wanted

    def write(self, value: Any, where: str) -> Tree:
        given: Any = value if isinstance(value, self.accepts) else None
        if given is None:
            raise self.unfit(value, where)
        if isinstance(value, set | frozenset):
            return sorted((self.item.write(each, f"an item of {where}") for each in value), key=_sortable)
        return [self.item.write(each, f"{where}[{at}]") for at, each in enumerate(given)]

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not isinstance(tree, list):
            raise self.unfit(tree, where)
        return self.make(self.item.read(each, f"{where}[{at}]", objects) for at, each in enumerate(tree))

    def shown(self, tree: Tree) -> Tree:
        return [self.item.shown(each) for each in tree] if isinstance(tree, list) else tree


def _sortable(tree: Tree) -> str:
    return json.dumps(tree, sort_keys=True, default=repr)


class TupleKind(Kind):
    """A tuple of a given length, each item of a kind of its own."""

    def __init__(self, items: Sequence[Kind]) -> None:
        self.items = items
        self.wanted = f"a tuple of {len(items)} items"

    def write(self, value: Any, where: str) -> Tree:
        if not isinstance(value, tuple) or len(value) != len(self.items):
            raise self.unfit(value, where)
        return [
            kind.write(each, f"{where}[{at}]") for at, (kind, each) in enumerate(zip(self.items, value, strict=True))
        ]

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not isinstance(tree, list) or len(tree) != len(self.items):
            raise self.unfit(tree, where)
        pairs = enumerate(zip(self.items, tree, strict=True))
        return tuple(kind.read(each, f"{where}[{at}]", objects) for at, (kind, each) in pairs)

    def shown(self, tree: Tree) -> Tree:
        if not isinstance(tree, list) or len(tree) != len(self.items):
            return tree
        return [kind.shown(each) for kind, each in zip(self.items, tree, strict=True)]


class DictKind(Kind):
    """A dict. With texts as keys it is an object of JSON, otherwise a list of pairs. The order stays."""

    def __init__(self, key: Kind, value: Kind) -> None:
        self.key, self.value = key, value
        self.wanted = "a dict"

    @property
    def _has_texts(self) -> bool:
        return self.key is SCALARS[str]

    def write(self, value: Any, where: str) -> Tree:
        if not isinstance(value, Mapping):
            raise self.unfit(value, where)
        pairs = [
            [self.key.write(key, f"a key of {where}"), self.value.write(each, f"{where}[{key!r}]")]
            for key, each in value.items()
        ]
        return dict(pairs) if self._has_texts else pairs

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        return {
            self.key.read(key, f"a key of {where}", objects): self.value.read(each, f"{where}[{key!r}]", objects)
            for key, each in self._pairs(tree, where)
        }

    def shown(self, tree: Tree) -> Tree:
        if isinstance(tree, dict):
            return {key: self.value.shown(each) for key, each in tree.items()}
        if isinstance(tree, list) and all(map(_is_pair, tree)):
            return [[self.key.shown(key), self.value.shown(each)] for key, each in tree]
        return tree

    def _pairs(self, tree: Tree, where: str) -> Iterable[Any]:
        if self._has_texts and isinstance(tree, dict):
            return tree.items()
        if not self._has_texts and isinstance(tree, list) and all(map(_is_pair, tree)):
            return tree
        raise self.unfit(tree, where)


def _is_pair(tree: Tree) -> bool:
    return isinstance(tree, list) and len(tree) == 2


class UnionKind(Kind):
    """Values of one of several kinds. The JSON says which, unless it shows by itself: `{"date": "2027-01-31"}`."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self.wanted = " or ".join(dict.fromkeys(kind.wanted for kind in kinds.values()))
        none = SCALARS[type(None)]
        several = [kind for kind in kinds.values() if kind is not none]
        self._by_itself = len(several) == 1 or all(kind in _BY_THEMSELVES for kind in several)

    def write(self, value: Any, where: str) -> Tree:
        for name, kind in self.kinds.items():
            try:
                tree = kind.write(value, where)
            except Unfit as error:
                if error.where != where and len(self.kinds) == 2 and SCALARS[type(None)] in self.kinds.values():
                    raise  # there is but one kind that it can be meant for
            else:
                return tree if self._by_itself or tree is None else {name: tree}
        raise self.unfit(value, where)

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        name, inner = self._kind_of(tree)
        if name is not None:
            return self.kinds[name].read(inner, where, objects)
        for kind in self.kinds.values():
            try:
                return kind.read(tree, where, objects)
            except Unfit as error:
                if error.where != where and tree is not None:
                    raise
        raise self.unfit(tree, where)

    def shown(self, tree: Tree) -> Tree:
        name, inner = self._kind_of(tree)
        if name is not None:
            return {name: self.kinds[name].shown(inner)}
        if tree is None:
            return None
        for kind in self.kinds.values():
            tree = kind.shown(tree)
        return tree

    def _kind_of(self, tree: Tree) -> tuple[str | None, Tree]:
        """Return the name of the kind that JSON says, and what is kept of it; None if it says none."""
        if not self._by_itself and isinstance(tree, dict) and len(tree) == 1:
            ((name, inner),) = tree.items()
            if name in self.kinds:
                return name, inner
        return None, tree


_BY_THEMSELVES = frozenset(SCALARS[cls] for cls in (bool, int, float, str))
