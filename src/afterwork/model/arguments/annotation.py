"""Annotations as they are meant: some are texts, and some name what only type checkers import."""

import inspect as python
import sys
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.model.base import registry_or_none

NOTHING = python.Parameter.empty
"""Stands for an annotation that isn't there."""


class Resolver:
    """Resolves annotations that are written in one place. Beside its own names, that knows the classes of a model.

    So a class of the model may be imported under `if TYPE_CHECKING` only, as its relationships allow, too.
    """

    def __init__(self, names: Mapping[str, Any], itself: type | None, model: object) -> None:
        self._names, self._itself, self._model = names, itself, model

    @classmethod
    def of_function(cls, function: Callable[..., Any], itself: type | None, model: object) -> "Resolver":
        return cls(getattr(python.unwrap(function), "__globals__", {}), itself, model)

    def of_class(self, cls: type) -> "Resolver":
        """Return the same for what a class declares."""
        return Resolver(vars(sys.modules.get(cls.__module__, typing)), self._itself, self._model)

    def resolve(self, annotation: Any) -> Any:
        """Return what an annotation means. Raises `NameError` for a name that exists only for type checkers."""
        holder = SimpleNamespace(__annotations__={"it": annotation})
        names = {**self._classes(), "Self": typing.Self, **self._names}
        meant = typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
        return self._itself if meant is typing.Self and self._itself is not None else meant

    def _classes(self) -> Mapping[str, Any]:
        """Return the classes of the model by name."""
        mapper: Mapper[Any] | None = None if self._itself is None else inspect(self._itself, raiseerr=False)
        model = registry_or_none(self._model) if mapper is None else mapper.registry
        return {} if model is None else {other.class_.__name__: other.class_ for other in model.mappers}


def signature_of(function: Callable[..., Any]) -> python.Signature:
    """Return the signature of a function, also if some of its annotations exist only for type checkers."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return python.signature(function, annotation_format=Format.FORWARDREF)
    return python.signature(function)


def annotations_of(cls: type) -> Mapping[str, Any]:
    """Return the annotations in the body of a class."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(cls, format=Format.FORWARDREF)
    return python.get_annotations(cls)
