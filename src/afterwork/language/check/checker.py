"""Tree → types, checked against the model. Raises `UnknownName` and `WrongType`, with the place."""

from collections.abc import Mapping

from afterwork.errors import BadSyntax
from afterwork.language.check.assignments import Assigning
from afterwork.language.check.call_resolver import Calls, Table, collected_if, flattened
from afterwork.language.check.context import Context, Scope
from afterwork.language.check.name_resolver import Naming
from afterwork.language.check.type_patterns import flat
from afterwork.language.syntax import tree
from afterwork.language.syntax.parse import Parsed
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, Place
from afterwork.language.typed import types
from afterwork.language.typed.expression import SELF_SLOT, TypedExpression
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import (
    Bind,
    Choose,
    Collection,
    Compare,
    Constant,
    Logic,
    MakeTuple,
    Span,
    Steps,
    Typed,
    Variable,
)
from afterwork.language.typed.types import CollectionType, ObjectType, TupleType, Type, TypeOf

LOGIC = ("and", "or", "xor", "implies")
EQUALITY = ("=", "<>")
COMPARISONS = (*EQUALITY, "<", ">", "<=", ">=")
SORTABLE = (*types.NUMBERS, types.STRING, types.DATETIME, types.DATE, types.TIME, types.TIMESPAN, types.GUID)


def check(
    parsed: Parsed,
    names: Names,
    self_class: type | None,
    variables: Mapping[str, Type],
    table: Table,
) -> TypedExpression:
    """What an expression means where self is a `self_class`, and `variables` are given when it runs."""
    checker = Checker(parsed.text, names, table)
    context = checker.context
    no_place = Place(0, 0)
    given = {name: context.variable(name, kind, no_place) for name, kind in variables.items()}
    scope = Scope(given)
    self_type = None
    if self_class is not None:
        self_type = ObjectType(self_class)
        itself = Variable(no_place, self_type, "self", SELF_SLOT)
        scope = scope.having(itself).within(itself)
    typed = checker.check(parsed.tree, scope)
    return TypedExpression(
        parsed.text, checker.calls.settled(typed, types.STRING), names, self_type, given, context.slots
    )


class Checker:
    """One check of one text: what each kind of node means."""

    def __init__(self, text: str, names: Names, table: Table) -> None:
        self.context = Context(text, names, self.check, self._type_named, SELF_SLOT + 1)
        self.calls = Calls(self.context, table)
        self.naming = Naming(self.context, self.calls)
        self.assigning = Assigning(self.context, self.calls, self.naming)

    def check(self, node: Node, scope: Scope) -> Typed:
        """A node with its type."""
        match node:
            case tree.Literal():
                return _literal(node)
            case tree.Label():
                return Constant(node.at, types.LabelType(node.name), node.name)
            case tree.Name():
                return self.naming.word(node, scope)
            case tree.Dot(source=tree.Node() as target, name=name) if folded(name) == "settonull":
                return self.assigning.assign(tree.Assign(node.at, target, tree.Literal(node.at, None)), scope)
            case tree.Dot():
                return self.naming.dot(node, scope)
            case tree.Arrow():
                return self.naming.arrow(node, scope)
            case tree.Path():
                return self.naming.path(node, scope)
            case tree.MayRun():
                return self.naming.may_run(node, scope)
            case tree.Unary():
                return self._unary(node, scope)
            case tree.Binary():
                return self._binary(node, scope)
            case tree.If():
                return self._if(node, scope)
            case tree.Let():
                return self._let(node, scope, 0)
            case tree.CollectionLiteral():
                return self._collection(node, scope)
            case tree.TupleLiteral():
                return self._tuple(node, scope)
            case tree.Assign():
                return self.assigning.assign(node, scope)
            case tree.Block():
                statements = tuple(self.check(statement, scope) for statement in node.statements)
                return Steps(node.at, statements[-1].type, statements)
            case _:
                raise self.context.wrong(node, "It can't stand here.")

    def _type_named(self, node: Node) -> Typed | None:
        return self.naming.type_named(node)

    def _value(self, node: Node, scope: Scope) -> Typed:
        return self.calls.settled(self.check(node, scope), types.STRING)

    # Operators between and before operands

    def _unary(self, node: tree.Unary, scope: Scope) -> Typed:
        operand = self.check(node.operand, scope)
        return self._call(node.operator, (operand,), node)

    def _binary(self, node: tree.Binary, scope: Scope) -> Typed:
        left, right = self.check(node.left, scope), self.check(node.right, scope)
        if node.operator in LOGIC:
            return self._logic(node, left, right)
        if node.operator in COMPARISONS:
            return self._compare(node, left, right)
        return self._call(node.operator, (left, right), node)

    def _call(self, operator: str, operands: tuple[Typed, ...], node: Node) -> Typed:
        found = self.calls.infix(operator, operands, node.at)
        if found is None:
            given = " and ".join(str(operand.type) for operand in operands)
            raise self.context.wrong(node, f"{operator} can't take {given}.")
        return found

    def _logic(self, node: tree.Binary, left: Typed, right: Typed) -> Typed:
        for side, typed in ((node.left, left), (node.right, right)):
            if not types.conforms(typed.type, types.BOOLEAN):
                raise self.context.wrong(
                    side,
                    f"{node.operator} takes Booleans, and this is {typed.type}. Comparisons bind weaker than "
                    f"{node.operator} here: (a = 1) {node.operator} (b = 2) needs its brackets.",
                )
        return Logic(node.at, types.BOOLEAN, node.operator, left, right)

    def _compare(self, node: tree.Binary, left: Typed, right: Typed) -> Typed:
        if isinstance(left.type, TypeOf) != isinstance(right.type, TypeOf):
            left, right = self.naming.as_type(left, node.left), self.naming.as_type(right, node.right)
        left, right = self.calls.settled(left, right.type), self.calls.settled(right, left.type)
        if not types.comparable(left.type, right.type):
            raise self.context.wrong(node, f"{left.type} and {right.type} are never alike.")
        if node.operator not in EQUALITY:
            for side, typed in ((node.left, left), (node.right, right)):
                if typed.type not in (*SORTABLE, types.NULL, types.ANY):
                    raise self.context.wrong(side, f"{node.operator} can't take {typed.type}.")
        return Compare(node.at, types.BOOLEAN, node.operator, left, right)

    # Forms

    def _if(self, node: tree.If, scope: Scope) -> Typed:
        condition = self.check(node.condition, scope)
        if not types.conforms(condition.type, types.BOOLEAN):
            raise self.context.wrong(node.condition, f"if takes a Boolean, and this is {condition.type}.")
        yes = self.check(node.yes, scope)
        no = Constant(node.at, types.NULL, None) if node.no is None else self.check(node.no, scope)
        yes, no = self.calls.settled(yes, no.type), self.calls.settled(no, yes.type)
        return Choose(node.at, types.common(yes.type, no.type), condition, yes, no)

    def _let(self, node: tree.Let, scope: Scope, index: int) -> Typed:
        if index == len(node.variables):
            return self.check(node.body, scope)
        parameter = node.variables[index]
        assert parameter.value is not None  # the grammar says so
        value = self.check(parameter.value, scope)
        kind = types.plain(value.type)
        if parameter.declared is not None:
            kind = self.naming.declared(parameter.declared)
            value = collected_if(self.calls.settled(value, kind), kind)
            if not types.conforms(value.type, kind):
                raise self.context.wrong(parameter.value, f"{parameter.name} is {kind}, and this is {value.type}.")
        value = self.calls.settled(value, types.STRING)
        variable = self.context.variable(parameter.name, kind, parameter.at)
        body = self._let(node, scope.having(variable), index + 1)
        return Bind(node.at, body.type, variable, value, body)

    def _collection(self, node: tree.CollectionLiteral, scope: Scope) -> Typed:
        kind = types.KINDS.get(node.kind.lower())
        if kind is None or kind == "Collection":
            known = ["Set", "Bag", "Sequence", "OrderedSet", "Tuple"]
            self.context.unknown(node.at.start, node.kind, f"There is no collection {node.kind}.", known)
        items = tuple(self._item(item, scope) for item in node.items)
        element: Type = types.NULL
        for item in items:
            element = types.common(element, flat(item.type))
        items = tuple(flattened(self.calls.settled(item, element)) for item in items)
        return Collection(node.at, CollectionType(kind, types.ANY if element == types.NULL else element), items)

    def _item(self, node: Node, scope: Scope) -> Typed:
        if not isinstance(node, tree.Range):
            return self.check(node, scope)
        first, last = self.check(node.first, scope), self.check(node.last, scope)
        for side, typed in ((node.first, first), (node.last, last)):
            if not types.conforms(typed.type, types.INTEGER):
                raise self.context.wrong(side, f"A range goes from Integer to Integer, and this is {typed.type}.")
        return Span(node.at, types.INTEGER, first, last)

    def _tuple(self, node: tree.TupleLiteral, scope: Scope) -> Typed:
        names = [part.name for part in node.parts]
        double = next((part for index, part in enumerate(node.parts) if part.name in names[:index]), None)
        if double is not None:
            raise BadSyntax(self.context.text, double.at.start, f"{double.name} is there twice.", end=double.at.end)
        parts = tuple(self._value(part.value, scope) for part in node.parts if part.value is not None)
        kind = TupleType(tuple((name, part.type) for name, part in zip(names, parts, strict=True)))
        return MakeTuple(node.at, self.context.light(kind, node), parts)


def _literal(node: tree.Literal) -> Constant:
    by_class: dict[type, Type] = {bool: types.BOOLEAN, int: types.INTEGER, str: types.STRING, type(None): types.NULL}
    return Constant(node.at, by_class.get(type(node.value), types.DECIMAL), node.value)
