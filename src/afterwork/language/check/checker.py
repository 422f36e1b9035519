"""Tree → typed tree, checked against a model. Raises `UnknownName` and `WrongType` with their positions."""

from collections.abc import Mapping

from afterwork.errors import BadSyntax
from afterwork.language.check.call_resolver import CallResolver, OperatorTable
from afterwork.language.check.context import ExpressionContext, VariableScope
from afterwork.language.check.name_resolver import NameResolver
from afterwork.language.check.type_patterns import as_expected_collection, flattenable, flattened_type
from afterwork.language.syntax import tree
from afterwork.language.syntax.parse import ParsedText
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, TextRange
from afterwork.language.typed import nodes, types
from afterwork.language.typed.names import Names
from afterwork.language.typed.nodes import SELF_SLOT, TypedConstant, TypedNode, VariableRead
from afterwork.language.typed.types import CollectionType, ObjectType, TupleType, Type, TypeOf

LOGIC = ("and", "or", "xor", "implies")
EQUALITY = ("=", "<>")
COMPARISONS = (*EQUALITY, "<", ">", "<=", ">=")
SORTABLE = (*types.NUMBERS, types.STRING, types.DATETIME, types.DATE, types.TIME, types.TIMESPAN, types.GUID)


def check(
    parsed: ParsedText,
    names: Names,
    self_class: type | None,
    variables: Mapping[str, Type],
    table: OperatorTable,
) -> nodes.TypedExpression:
    """Check a text whose self is a `self_class`, and whose `variables` get their values when it runs."""
    context = Checker(parsed.text, names, table).context
    nowhere = TextRange(0, 0)
    given = {name: context.new_variable(name, type_, nowhere) for name, type_ in variables.items()}
    scope = VariableScope(given)
    self_type = None
    if self_class is not None:
        self_type = ObjectType(self_class)
        itself = VariableRead(nowhere, self_type, "self", SELF_SLOT)
        scope = scope.with_variable(itself).with_implicit(itself)
    typed = context.check_labels_as_text(parsed.tree, scope)
    return nodes.TypedExpression(parsed.text, typed, names, self_type, given, context.slots)


class Checker:
    """One check of one text, with a method for each kind of node."""

    def __init__(self, text: str, names: Names, table: OperatorTable) -> None:
        self.context = ExpressionContext(text, names, self.check, self._type_named, SELF_SLOT + 1)
        self.calls = CallResolver(self.context, table)
        self.names = NameResolver(self.context, self.calls)

    def check(self, node: Node, scope: VariableScope) -> TypedNode:
        """Return a node with its type. Raises what the module says."""
        match node:
            case tree.Literal():
                return _literal(node)
            case tree.Label():
                return TypedConstant(node.at, types.LabelType(node.name), node.name)
            case tree.Name():
                return self.names.word(node, scope)
            case tree.Dot(source=tree.Node() as target, name=name) if folded(name) == "settonull":
                return self._assign(tree.Assign(node.at, target, tree.Literal(node.at, None)), scope)
            case tree.Dot():
                return self.names.dot(node, scope)
            case tree.Arrow():
                return self.names.arrow(node, scope)
            case tree.PathName():
                return self.names.path_name(node, scope)
            case tree.MayRun():
                return self.names.may_run(node, scope)
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
                return self._assign(node, scope)
            case tree.Block():
                statements = tuple(self.check(statement, scope) for statement in node.statements)
                return nodes.TypedBlock(node.at, statements[-1].type, statements)
            case _:
                raise self.context.wrong_type(node, "It can't stand here.")

    def _type_named(self, node: Node) -> TypedNode | None:
        return self.names.type_named(node)

    # Operators between and before operands

    def _unary(self, node: tree.Unary, scope: VariableScope) -> TypedNode:
        operand = self.context.check_value(node.operand, scope)
        return self._call(node.operator, (operand,), node)

    def _binary(self, node: tree.Binary, scope: VariableScope) -> TypedNode:
        left, right = (self.context.check_value(side, scope) for side in (node.left, node.right))
        if node.operator in LOGIC:
            return self._logic(node, left, right)
        if node.operator in COMPARISONS:
            return self._compare(node, left, right)
        return self._call(node.operator, (left, right), node)

    def _call(self, operator: str, operands: tuple[TypedNode, ...], node: Node) -> TypedNode:
        call = self.calls.infix(operator, operands, node.at)
        if call is None:
            given = " and ".join(str(operand.type) for operand in operands)
            raise self.context.wrong_type(node, f"{operator} can't take {given}.")
        return call

    def _logic(self, node: tree.Binary, left: TypedNode, right: TypedNode) -> TypedNode:
        for side, typed in ((node.left, left), (node.right, right)):
            if not types.conforms(typed.type, types.BOOLEAN):
                raise self.context.wrong_type(
                    side,
                    f"{node.operator} takes Booleans, and this is {typed.type}. Comparisons bind weaker than "
                    f"{node.operator} here: (a = 1) {node.operator} (b = 2) needs its brackets.",
                )
        return nodes.LogicalOperation(node.at, types.BOOLEAN, node.operator, left, right)

    def _compare(self, node: tree.Binary, left: TypedNode, right: TypedNode) -> TypedNode:
        if isinstance(left.type, TypeOf) != isinstance(right.type, TypeOf):
            left, right = self.names.as_type(left, node.left), self.names.as_type(right, node.right)
        left, right = self.context.label_as(left, right.type), self.context.label_as(right, left.type)
        if not types.comparable(left.type, right.type):
            raise self.context.wrong_type(node, f"{left.type} and {right.type} are never alike.")
        if node.operator not in EQUALITY:
            for side, typed in ((node.left, left), (node.right, right)):
                if typed.type not in (*SORTABLE, types.NULL, types.ANY):
                    raise self.context.wrong_type(side, f"{node.operator} can't take {typed.type}.")
        return nodes.Comparison(node.at, types.BOOLEAN, node.operator, left, right)

    # Forms

    def _assign(self, node: tree.Assign, scope: VariableScope) -> TypedNode:
        target = self.check(node.target, scope)
        match target:
            case nodes.AttributeRead(source=source, member=member) | nodes.Navigation(source=source, member=member):
                if not member.writable:
                    raise self.context.wrong_type(node.target, f"{member.key} can't be set.")
                return nodes.AssignMember(
                    node.at, target.type, source, member, self._assigned(node, target.type, scope)
                )
            case VariableRead(name=name) if name and name != "self":
                return nodes.AssignVariable(node.at, target.type, target, self._assigned(node, target.type, scope))
            case _:
                raise self.context.wrong_type(node.target, "Only members and variables can be set with :=.")

    def _assigned(self, node: tree.Assign, expected: Type, scope: VariableScope) -> TypedNode:
        given = self.context.label_as(self.context.check_value(node.value, scope), expected)
        value = as_expected_collection(given, expected)
        if not types.assignable(value.type, expected):
            raise self.context.wrong_type(node.value, f"{expected} is wanted here, and this is {value.type}.")
        return value

    def _if(self, node: tree.If, scope: VariableScope) -> TypedNode:
        condition = self.context.check_value(node.condition, scope)
        if not types.conforms(condition.type, types.BOOLEAN):
            raise self.context.wrong_type(node.condition, f"if takes a Boolean, and this is {condition.type}.")
        yes = self.check(node.yes, scope)
        no = TypedConstant(node.at, types.NULL, None) if node.no is None else self.check(node.no, scope)
        yes, no = self.context.label_as(yes, no.type), self.context.label_as(no, yes.type)
        gives_nothing = types.NOTHING in (yes.type, no.type)
        type_ = types.NOTHING if gives_nothing else types.common_type(yes.type, no.type)
        return nodes.Conditional(node.at, type_, condition, yes, no)

    def _let(self, node: tree.Let, scope: VariableScope, index: int) -> TypedNode:
        if index == len(node.variables):
            return self.check(node.body, scope)
        parameter = node.variables[index]
        assert parameter.value is not None  # the grammar says so
        value = self.check(parameter.value, scope)
        type_ = types.without_label(value.type)
        if parameter.declared is not None:
            type_ = self.names.declared(parameter.declared)
            value = as_expected_collection(self.context.label_as(value, type_), type_)
            if not types.conforms(value.type, type_):
                raise self.context.wrong_type(
                    parameter.value, f"{parameter.name} is {type_}, and this is {value.type}."
                )
        value = self.context.label_as(value, types.STRING)
        variable = self.context.new_variable(parameter.name, type_, parameter.at)
        body = self._let(node, scope.with_variable(variable), index + 1)
        return nodes.LetBinding(node.at, body.type, variable, value, body)

    def _collection(self, node: tree.CollectionLiteral, scope: VariableScope) -> TypedNode:
        kind = types.COLLECTION_KINDS.get(node.kind.lower())
        if kind is None or kind == "Collection":
            known = ["Set", "Bag", "Sequence", "OrderedSet", "Tuple"]
            self.context.raise_unknown(node.at.start, node.kind, f"There is no collection {node.kind}.", known)
        items = tuple(self._item(item, scope) for item in node.items)
        element: Type = types.NULL
        for item in items:
            element = types.common_type(element, flattened_type(item.type))
        items = tuple(flattenable(self.context.label_as(item, element)) for item in items)
        return nodes.CollectionConstruction(
            node.at, CollectionType(kind, types.ANY if element == types.NULL else element), items
        )

    def _item(self, node: Node, scope: VariableScope) -> TypedNode:
        if not isinstance(node, tree.Range):
            return self.context.check_value(node, scope)
        first, last = self.check(node.first, scope), self.check(node.last, scope)
        for side, typed in ((node.first, first), (node.last, last)):
            if not types.conforms(typed.type, types.INTEGER):
                raise self.context.wrong_type(side, f"A range goes from Integer to Integer, and this is {typed.type}.")
        return nodes.IntegerRange(node.at, types.INTEGER, first, last)

    def _tuple(self, node: tree.TupleLiteral, scope: VariableScope) -> TypedNode:
        names = [part.name for part in node.parts]
        double = next((part for index, part in enumerate(node.parts) if part.name in names[:index]), None)
        if double is not None:
            raise BadSyntax(self.context.text, double.at.start, f"{double.name} is there twice.", end=double.at.end)
        values = [part.value for part in node.parts if part.value is not None]
        parts = tuple(self.context.value(self.context.check_labels_as_text(value, scope), value) for value in values)
        tuple_type = TupleType(tuple((name, part.type) for name, part in zip(names, parts, strict=True)))
        return nodes.TupleConstruction(node.at, self.context.limited_type(tuple_type, node), parts)


def _literal(node: tree.Literal) -> TypedConstant:
    by_class: dict[type, Type] = {bool: types.BOOLEAN, int: types.INTEGER, str: types.STRING, type(None): types.NULL}
    return TypedConstant(node.at, by_class.get(type(node.value), types.DECIMAL), node.value)
