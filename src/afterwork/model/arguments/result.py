"""The result of one work: what its function returns, kept as JSON by the annotation."""

import inspect as python
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from afterwork.errors import CantBeKept, ResultLost, Unfit
from afterwork.model.arguments.annotation import NOTHING, Resolver, signature_of
from afterwork.model.arguments.kind import HIDDEN, Kind, Objects, Tree
from afterwork.model.arguments.kind_of import Kinds
from afterwork.model.arguments.references import Reference

PLACE = "the result"
"""The place of a result in messages."""


@dataclass(frozen=True)
class WorkResult:
    """The values that a work may return. `name` is the work's in messages, `annotation` that of its function as it is
    written."""

    name: str
    annotation: Any
    kinds: Kinds

    @classmethod
    def of_function(
        cls, name: str, function: Callable[..., Any], itself: type | None, model: object = None
    ) -> "WorkResult":
        """Return what a function may return; a method does so for objects of the class `itself`. `model` is the base of
        the classes that the annotation may name."""
        annotation = signature_of(function).return_annotation
        return cls(name, annotation, Kinds(Resolver.of_function(function, itself, model)))

    @property
    def is_nothing(self) -> bool:
        """Return whether the function says that it returns nothing."""
        return self.annotation in (None, type(None), "None")

    @property
    def is_expected(self) -> bool:
        """Return whether the function says that it returns something."""
        return not self.is_nothing and self.annotation is not NOTHING

    @cached_property
    def kind(self) -> Kind:
        """The kind of the result. Raises `CantBeKept` or `NameError`."""
        return self.kinds.of(self.annotation)

    def written(self, value: Any) -> Tree:
        """Return a result as JSON. Raises `Unfit`, `CantBeKept`, `NameError` or `RecursionError` if it can't be
        kept."""
        return self.kind.write(value, PLACE)

    def read(self, text: str | None, objects: Objects) -> Any:
        """Return the result that a ticket's row has. Raises `ResultLost` for one that the annotation doesn't allow."""
        if text is None:
            return self._read_nothing()
        try:
            return self.kind.read(json.loads(text), PLACE, objects)
        except (Unfit, CantBeKept, NameError, ValueError, RecursionError) as error:
            raise ResultLost(f"{self.name} was done, but its result can't be read: {error}") from None

    def _read_nothing(self) -> None:
        if self.is_expected and not self._may_be_none:
            raise ResultLost(
                f"{self.name} was done, but its result was not kept: it says that it returns "
                f"{python.formatannotation(self.annotation)}. If it does, the log of the server has the reason."
            )

    @property
    def _may_be_none(self) -> bool:
        try:
            self.kind.read(None, PLACE, _no_objects)
        except (Unfit, CantBeKept, NameError):
            return False
        return True

    def shown(self, text: str) -> Tree:
        """Return a result that a ticket's row has as people may see it. What the annotation doesn't know is hidden."""
        try:
            return self.kind.shown(json.loads(text))
        except (CantBeKept, NameError, ValueError, RecursionError):
            return HIDDEN


def _no_objects(text: str, cls: type, where: str) -> Any:
    raise Unfit(where, "something else than an object of the model", text)


def text_of(tree: Tree) -> str:
    """Return a result as a row has it. Raises `Unfit` for a new object in it that was not saved with the run, and
    `ValueError` for an integer of thousands of digits."""
    return json.dumps(tree, default=_external_id, allow_nan=False)


def _external_id(reference: Reference) -> str:
    text = reference.text
    if text is None:
        raise Unfit(PLACE, "objects that are saved", f"a new {type(reference.obj).__name__}, which was not")
    return text
