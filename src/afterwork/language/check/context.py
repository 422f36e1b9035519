"""What is known at a place of an expression while it is checked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from afterwork.errors import UnknownName, WrongType
from afterwork.language.check.omitted_operators import REPLACEMENTS
from afterwork.language.syntax.spelling import find, folded, nearest
from afterwork.language.syntax.tree import Node, TextRange
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import TypedNode, VariableRead
from afterwork.language.typed.types import MAX_TYPE_PARTS, Type, part_count


@dataclass(frozen=True)
class VariableScope:
    """`variables` by name; `implicit` are those whose members need no dot, the innermost first."""

    variables: Mapping[str, VariableRead] = field(default_factory=dict)
    implicit: tuple[VariableRead, ...] = ()

    def with_variable(self, variable: VariableRead) -> "VariableScope":
        """With one variable more."""
        return replace(self, variables={**self.variables, variable.name: variable})

    def with_implicit(self, variable: VariableRead) -> "VariableScope":
        """Within a variable that has no name: its members need no dot."""
        return replace(self, implicit=(variable, *self.implicit))

    def find_variable(self, name: str) -> VariableRead | None:
        """The variable of a name."""
        found: VariableRead | None = find(self.variables, name)
        return found


@dataclass
class CheckContext:
    """One check: the text, the names, how a node within the one at hand is checked, and which type a word names
    whatever else goes by it."""

    text: str
    names: Names
    check: Callable[[Node, VariableScope], TypedNode]
    type_named: Callable[[Node], TypedNode | None]
    slots: int

    def new_variable(self, name: str, kind: Type, at: TextRange) -> VariableRead:
        """A new variable with a slot of its own."""
        self.slots += 1
        return VariableRead(at, kind, name, self.slots - 1)

    def limited_type(self, kind: Type, node: Node | TypedNode) -> Type:
        """A type that is not too large."""
        if part_count(kind) > MAX_TYPE_PARTS:
            raise self.wrong_type(node, f"Its type has more than {MAX_TYPE_PARTS} parts.")
        return kind

    def wrong_type(self, node: Node | TypedNode, problem: str) -> WrongType:
        """The error that a node is of a type that can't be meant."""
        return WrongType(self.text, node.at.start, problem, end=node.at.end)

    def raise_unknown(self, after: int, name: str, problem: str, known: Iterable[str]) -> NoReturn:
        """Raise that nothing goes by a name that stands after a place, with the nearest names that there are; for what
        only the original has, with what to use instead."""
        instead = REPLACEMENTS.get(folded(name))
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
