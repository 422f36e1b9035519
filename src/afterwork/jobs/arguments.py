"""The arguments of a batch's claims: read when each run begins, with the objects that they name loaded together."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Mapper, Session

from afterwork.errors import ArgumentsLost, MalformedExternalId
from afterwork.jobs.perform import is_gone
from afterwork.jobs.roots import Roots
from afterwork.model.arguments.references import texts
from afterwork.model.external_id import ExternalId, parse


@dataclass(frozen=True)
class ObjectsOfArguments:
    """The objects that the arguments of some claims name, in one session."""

    session: Session
    roots: Roots
    classes: Mapping[str, Mapper[Any]]
    _loaded: dict[ExternalId, object] = field(default_factory=dict)

    def load(self, given: Iterable[object]) -> None:
        """Load the objects that JSON texts seem to name, with one query per class."""
        named = {external_id for text in given for external_id in self._named(text)}
        if named:
            self._loaded.update(self.roots.load(self.session, named))

    def _named(self, text: object) -> Iterator[ExternalId]:
        if not isinstance(text, str) or "!" not in text:
            return
        try:
            candidates = list(texts(json.loads(text)))
        except (ValueError, RecursionError):
            return
        for candidate in candidates:
            if candidate.partition("!")[0] in self.classes:
                try:
                    yield parse(candidate, self.classes)
                except MalformedExternalId:
                    continue  # a text like any other

    def __call__(self, text: str, cls: type, where: str) -> object:
        """Return the object that an external id names. Raises `ArgumentsLost` if it is not there, or no `cls`."""
        try:
            named = parse(text, self.classes)
        except MalformedExternalId as error:
            raise ArgumentsLost(f"Arguments: {where}: {error}") from None
        obj = self._loaded.get(named)
        if obj is None:  # an earlier run may have created it meanwhile
            self._loaded.update(self.roots.load(self.session, [named]))
            obj = self._loaded.get(named)
        if obj is None or is_gone(obj):
            raise ArgumentsLost(f"Arguments: {where}: {text} is not there (any more).")
        if not isinstance(obj, cls):
            raise ArgumentsLost(f"Arguments: {where} needs an object of class {cls.__name__}, not {text}.")
        return obj
