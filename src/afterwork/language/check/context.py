"""The common context of the steps of one check: text, names of the model, variables in scope, and errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from afterwork.errors import UnknownName, WrongType
from afterwork.language.syntax.spelling import find, folded, nearest
from afterwork.language.syntax.tree import Node, TextRange
from afterwork.language.typed import types
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import TypedConstant, TypedNode, VariableRead
from afterwork.language.typed.types import MAX_TYPE_PARTS, EnumType, LabelType, Type, part_count


@dataclass(frozen=True)
class VariableScope:
    """The variables at one position. The members of `implicit` ones need no dot; the innermost comes first."""

    variables: Mapping[str, VariableRead] = field(default_factory=dict)
    implicit: tuple[VariableRead, ...] = ()

    def with_variable(self, variable: VariableRead) -> "VariableScope":
        return replace(self, variables={**self.variables, variable.name: variable})

    def with_implicit(self, variable: VariableRead) -> "VariableScope":
        """Return the scope within a variable without a name, whose members need no dot."""
        return replace(self, implicit=(variable, *self.implicit))

    def find_variable(self, name: str) -> VariableRead | None:
        return find(self.variables, name)


@dataclass(frozen=True, slots=True)
class NameUse:
    """A name that follows a source: `.name`, or `->name(arguments)`. `arguments` is None if it has no brackets."""

    name: str
    arguments: Sequence[Node] | None
    scope: VariableScope
    at: TextRange

    @property
    def given(self) -> Sequence[Node]:
        """The arguments, empty also where there are no brackets."""
        return self.arguments or ()


@dataclass
class ExpressionContext:
    """One check of one text.

    `check` is how any node is checked within a scope; `type_named` returns the type that a word names, whatever else
    has the name. `slots` counts the slots that the variables so far need.
    """

    text: str
    names: Names
    check: Callable[[Node, VariableScope], TypedNode]
    type_named: Callable[[Node], TypedNode | None]
    slots: int

    def new_variable(self, name: str, type_: Type, at: TextRange) -> VariableRead:
        """Return a new variable with a slot of its own."""
        self.slots += 1
        return VariableRead(at, type_, name, self.slots - 1)

    def check_labels_as_text(self, node: Node, scope: VariableScope) -> TypedNode:
        """Check a node whose labels are texts, as nothing else is expected of them."""
        return self.label_as(self.check(node, scope), types.STRING)

    def check_value(self, node: Node, scope: VariableScope) -> TypedNode:
        """Check a node whose value is used. Raises `WrongType` for a call that gives nothing."""
        return self.value(self.check(node, scope), node)

    def value(self, typed: TypedNode, node: Node) -> TypedNode:
        """Return a typed node whose value is used. Raises `WrongType` for a call that gives nothing."""
        if typed.type == types.NOTHING:
            raise self.wrong_type(node, "It gives nothing, so there is no value that could be used here.")
        return typed

    def label_as(self, typed: TypedNode, expected: Type) -> TypedNode:
        """Return a label as the member of the expected enumeration, or as a text; any other node as it is."""
        if not isinstance(typed.type, LabelType):
            return typed
        label = typed.type.name
        if not isinstance(expected, EnumType):
            return TypedConstant(typed.at, types.STRING, label)
        members = expected.cls.__members__
        member = next((member for name, member in members.items() if folded(name) == folded(label)), None)
        if member is None:
            self.raise_unknown(typed.at.start, label, f"{expected} has no member {label}.", list(members))
        return TypedConstant(typed.at, expected, member)

    def limited_type(self, type_: Type, node: Node | TypedNode) -> Type:
        """Return a type unless it has too many parts."""
        if part_count(type_) > MAX_TYPE_PARTS:
            raise self.wrong_type(node, f"Its type has more than {MAX_TYPE_PARTS} parts.")
        return type_

    def wrong_type(self, node: Node | TypedNode, problem: str) -> WrongType:
        """Return the error that a node has a type that can't be meant."""
        return WrongType(self.text, node.at.start, problem, end=node.at.end)

    def raise_unknown(self, after: int, name: str, problem: str, known: Iterable[str]) -> NoReturn:
        """Raise that nothing has a name that stands at or after a character.

        The error suggests the nearest of the `known` names; for an operator that only the original has, what to use
        instead.
        """
        replacement = REPLACEMENTS.get(folded(name))
        if replacement is not None:
            problem, known = f"{problem} {replacement}", ()
        start = max(self.text.find(name, after), after)
        suggestions = nearest(name, [other for other in known if other != name])
        raise UnknownName(self.text, start, problem, end=start + len(name), nearest=suggestions)


REPORTS = "What writes a document is a method of the model, in Python, that an expression calls."
META = "It is no part of a SQLAlchemy model."

OMITTED: Mapping[str, str] = {
    "dictionary": "Use groupBy(x | x.key), which gives tuples of key and items, or any(x | x.key = …).",
    "orderGeneric": "Use orderBy and orderDescending, which take several expressions. Elements that sort alike keep "
    "their order, so orderDescending(b)->orderBy(a) sorts by a, and then by b in descending order.",
    "PSEvalTuples": "Collections of tuples don't come from SQL. Use PSEval, and collect tuples of its objects.",
    "sqlpassthroughobjects": "No SQL text runs within an expression. Use PSEval, or a criterion in Python: "
    "criteria=select(…).",
    "evaluateAsOCL": "Texts are checked before they run. Use aw.ocl in Python, or a file of jobs, for what changes.",
    "allInstancesAtTime": "Former states are not kept. Use allInstances, and an attribute that says when.",
    "constraints": f"{META} Use the precondition of a method, self.Method?, or a constraint of the database.",
    "taggedValue": f"{META} Use a method of the model that reads Column.info.",
    "taggedValueOnFeature": f"{META} Use a method of the model that reads Column.info.",
    "hashPassword": "A safe hash is slow on purpose, and expressions must not be. Use a method of the model.",
    "viewModelAsXml": REPORTS,
    "xHtmlReportAsString": REPORTS,
    "opendocumentReport": REPORTS,
}
"""The original's names of omitted operators, with what to use instead."""

REPLACEMENTS: Mapping[str, str] = {name.lower(): text for name, text in OMITTED.items()}
"""The same by folded names."""
