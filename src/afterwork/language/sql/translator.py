"""One translation of a typed tree to SQL, as the operators use it; `node_translator.py` knows each kind of node.

What doesn't depend on rows is not translated but evaluated once, as any expression is, and becomes a parameter.
"""

from abc import ABC, abstractmethod
from typing import Any, NoReturn

from sqlalchemy import case, false, func

from afterwork.language.run.compile import compiled
from afterwork.language.run.evaluation import Exhausted, Frame, Untranslatable
from afterwork.language.sql.parameters import parameter
from afterwork.language.sql.rowset import Column, Entity, Known, RowSet, Term
from afterwork.language.sql.timestamps import as_moment, calculable
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Constant, Typed, Variable, walk
from afterwork.language.typed.types import ObjectType, TypeOf

Translated = Term | Entity | Known | RowSet

MAX_NODES = 2_000
"""Nodes that a translation may visit: `let` is written out where it is used, so a short text may mean a long one."""

MAX_NODES_LOOKED_AT = MAX_NODES * 50
"""Nodes that may be looked at to tell what depends on rows."""


class Translator(ABC):
    """One translation. `frame` holds known values, `variables` the rows and nodes that other variables stand for."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.variables: dict[int, Translated | Typed] = {}
        self.nodes = 0

    @abstractmethod
    def translated(self, node: Typed) -> Translated:
        """Translate any node."""

    @abstractmethod
    def term(self, node: Typed) -> Term:
        """Translate a node that is a single value."""

    @abstractmethod
    def entity(self, node: Typed) -> Entity | Known:
        """Translate a node that is a single object."""

    @abstractmethod
    def rows(self, node: Typed) -> RowSet:
        """Translate a node that is a collection."""

    def refuse(self, node: Typed, why: str) -> NoReturn:
        """Raise that a node can't become SQL."""
        raise Untranslatable(why, node.at)

    def column(self, node: Typed) -> Column:
        """Translate a value to calculate with."""
        term = self.term(node)
        if term.encoded:
            self.refuse(node, "the database holds it in a form of its own, which can only be compared")
        return calculable(term.column)

    def condition(self, node: Typed) -> Column:
        """Translate a Boolean, with false for null."""
        term = self.term(node)
        return func.coalesce(term.column, false()) if term.nullable else term.column

    def conditional(self, node: Typed, condition: Typed, yes: Typed, no: Typed) -> Term:
        """Translate `node`, which chooses between two values."""
        values = self.column(yes), self.column(no)
        one, other = map(as_moment, values) if node.type == types.DATETIME else values
        return Term(case((self.condition(condition), one), else_=other), node.type)

    def unlimited(self, node: Typed) -> RowSet:
        """Translate a collection that is no section of another, so that conditions can be added to it."""
        rows = self.rows(node)
        if rows.limited:
            self.refuse(node, "of a section of a collection only the size can be asked")
        return rows

    def bind(self, slot: int, element: Translated) -> None:
        """Let a variable stand for the elements of rows."""
        self.variables[slot] = element

    # Known values

    def is_known(self, node: Typed) -> bool:
        """Return whether a node depends on no row."""
        for part in walk(node):
            self.nodes += 1
            match part:
                case Variable(slot=slot) if slot in self.variables:
                    return False
                case Constant(type=TypeOf(of=ObjectType())):
                    return False
        if self.nodes > MAX_NODES_LOOKED_AT:
            raise Exhausted("It is too long once let is written out.", node.at)
        return True

    def is_null(self, node: Typed) -> bool:
        """Return whether a node is known to be null."""
        return self.is_known(node) and self.value(node) is None

    def value(self, node: Typed) -> Any:
        """Evaluate a node that depends on no row."""
        return compiled(node)(self.frame)

    def parameter(self, node: Typed, value: Any, like: Term | None = None) -> Term:
        """Return a known value as a parameter, of the type of the term `like` that it will be compared with."""
        return parameter(node.type, value, like) or self.refuse(node, "it is no single value")
