"""What is known at a place of an expression while it is checked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from afterwork.errors import UnknownName, WrongType
from afterwork.language.check.omitted_operators import INSTEAD
from afterwork.language.syntax.spelling import find, folded, nearest
from afterwork.language.syntax.tree import Node, Place
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import Typed, Variable
from afterwork.language.typed.types import HEAVIEST, Type, weight


@dataclass(frozen=True)
class Scope:
    """`variables` by name; `implicit` are those whose members need no dot, the innermost first."""

    variables: Mapping[str, Variable] = field(default_factory=dict)
    implicit: tuple[Variable, ...] = ()

    def having(self, variable: Variable) -> "Scope":
        """With one variable more."""
        return replace(self, variables={**self.variables, variable.name: variable})

    def within(self, variable: Variable) -> "Scope":
        """Within a variable that has no name: its members need no dot."""
        return replace(self, implicit=(variable, *self.implicit))

    def variable(self, name: str) -> Variable | None:
        """The variable of a name."""
        found: Variable | None = find(self.variables, name)
        return found


@dataclass
class Context:
    """One check: the text, the names, how a node within the one at hand is checked, and which type a word names
    whatever else goes by it."""

    text: str
    names: Names
    check: Callable[[Node, Scope], Typed]
    type_named: Callable[[Node], Typed | None]
    slots: int

    def variable(self, name: str, kind: Type, at: Place) -> Variable:
        """A new variable with a slot of its own."""
        self.slots += 1
        return Variable(at, kind, name, self.slots - 1)

    def light(self, kind: Type, node: Node | Typed) -> Type:
        """A type that is not too large."""
        if weight(kind) > HEAVIEST:
            raise self.wrong(node, f"Its type has more than {HEAVIEST} parts.")
        return kind

    def wrong(self, node: Node | Typed, problem: str) -> WrongType:
        """The error that a node is of a type that can't be meant."""
        return WrongType(self.text, node.at.start, problem, end=node.at.end)

    def unknown(self, after: int, name: str, problem: str, known: Iterable[str]) -> NoReturn:
        """Raise that nothing goes by a name that stands after a place, with the nearest names that there are; for what
        only the original has, with what to use instead."""
        instead = INSTEAD.get(folded(name))
        if instead is not None:
            problem, known = f"{problem} {instead}", ()
        start = max(self.text.find(name, after), after)
        raise UnknownName(
            self.text,
            start,
            problem,
            end=start + len(name),
            nearest=nearest(name, [one for one in known if one != name]),
        )
