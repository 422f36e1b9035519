"""Kinds of values with named fields: dataclasses, named tuples and typed dicts."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Any

from afterwork.errors import Unfit
from afterwork.model.arguments.kind import HIDDEN, Kind, Objects, Tree


class RecordKind(Kind):
    """Values with named fields, as an object of JSON. A field that has a default may be absent from it.

    `fields` returns the kinds of the fields: it is called when they are first needed, since a class may have fields of
    its own class.
    """

    def __init__(
        self,
        cls: type,
        fields: Callable[[], Mapping[str, Kind]],
        required: Collection[str],
        values: Callable[[Any], Mapping[str, Any]],
    ) -> None:
        self.cls, self._fields_of, self._required, self._values = cls, fields, required, values
        self.wanted = f"a {cls.__name__}"

    @cached_property
    def fields(self) -> Mapping[str, Kind]:
        return self._fields_of()

    def write(self, value: Any, where: str) -> Tree:
        if type(value) is not self._class_of_values:  # one of a subclass would come back as less than it was
            raise self.unfit(value, where)
        values = self._values(value)
        if not self.fields.keys() >= values.keys() >= set(self._required):
            raise self.unfit(value, where)
        return {name: self.fields[name].write(each, f"{where}.{name}") for name, each in values.items()}

    @property
    def _class_of_values(self) -> type:
        return dict if issubclass(self.cls, dict) else self.cls

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        if not isinstance(tree, dict):
            raise self.unfit(tree, where)
        for name in tree.keys() - self.fields.keys():
            raise Unfit(where, self.wanted, f"a field {name}, which it doesn't have")
        for name in set(self._required) - tree.keys():
            raise Unfit(where, self.wanted, f"none of its field {name}")
        values = {name: self.fields[name].read(each, f"{where}.{name}", objects) for name, each in tree.items()}
        return self.cls(**values)

    def shown(self, tree: Tree) -> Tree:
        if not isinstance(tree, dict):
            return tree
        return {name: self.fields[name].shown(each) if name in self.fields else HIDDEN for name, each in tree.items()}
