"""Kinds of arguments: each writes the values of one annotation as JSON, and reads them again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from afterwork.errors import Unfit, shown

HIDDEN = "(secret)"
"""Replaces a secret wherever arguments are shown."""

Tree = Any
"""JSON as Python has it: None, bool, int, float, str, list, and dict with text keys. Objects are `Reference`s in it
until their external ids are known."""

Objects = Callable[[str, type, str], Any]
"""Returns the object that an external id names. It is called with the id, the class that is wanted, and the place."""


class Secret:
    """Marks a parameter, a variable or a field whose value is never shown: `token: Annotated[str, aw.Secret]`.

    The ticket's row has it as it is. The command line, the page, the API, logs and messages show `(secret)` instead.
    """


class Kind(ABC):
    """The values that one annotation allows. `wanted` says in messages which: "a Decimal"."""

    wanted: str

    @abstractmethod
    def write(self, value: Any, where: str) -> Tree:
        """Return a value as JSON. Raises `Unfit`, with the place, for one that can't be kept."""

    @abstractmethod
    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        """Return the value that `write` has written. Raises `Unfit`, with the place, for anything else."""

    def shown(self, tree: Tree) -> Tree:
        """Return JSON of this kind without the secrets in it."""
        return tree

    def unfit(self, value: object, where: str) -> Unfit:
        """Return the error that says that something is not of this kind."""
        return Unfit(where, self.wanted, shown(value))


class SecretKind(Kind):
    """The values of a secret: those of another kind, which nobody sees."""

    def __init__(self, inner: Kind) -> None:
        self.inner = inner
        self.wanted = inner.wanted

    def write(self, value: Any, where: str) -> Tree:
        try:
            return self.inner.write(value, where)
        except Unfit as error:
            raise self._without_value(error, value) from None

    def read(self, tree: Tree, where: str, objects: Objects) -> Any:
        try:
            return self.inner.read(tree, where, objects)
        except Unfit as error:
            raise self._without_value(error, tree) from None

    def shown(self, tree: Tree) -> Tree:
        return None if tree is None else HIDDEN

    def _without_value(self, error: Unfit, value: object) -> Unfit:
        return Unfit(error.where, error.wanted, f"{HIDDEN[:-1]}, of class {type(value).__name__})")
