"""Finds the operator of a call, by its name and the type of its source, and checks the arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afterwork.errors import WrongType
from afterwork.language.check.context import ExpressionContext, NameUse, VariableScope
from afterwork.language.check.type_patterns import (
    UNTYPED,
    Bindings,
    as_operand,
    flattenable,
    instantiated,
    matches,
    matches_source,
    set_of_itself,
)
from afterwork.language.syntax import tree
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, TextRange
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Navigation, OperatorCall, TypedConstant, TypedLambda, TypedNode, VariableRead
from afterwork.language.typed.operator import AssociationFunction, Operator
from afterwork.language.typed.signature import ParameterPattern, TypePattern
from afterwork.language.typed.states import state_names
from afterwork.language.typed.types import CollectionType, LabelType, ObjectType, Type, TypeOf

OperatorTable = Mapping[str, Sequence[Operator]]
"""All operators by their folded names."""

WITH_SEVERAL_VARIABLES = ("exists", "forall")
"""The operators whose lambdas may have several variables: each variable goes over the whole collection."""


class CallResolver:
    """Finds the operators that the calls of one text mean."""

    def __init__(self, context: ExpressionContext, table: OperatorTable) -> None:
        self.context = context
        self.table = table

    def find(self, source: TypedNode, mark: str, use: NameUse) -> TypedNode | None:
        """Return the call meant by a name after a source and `.` or `->`; None for an unknown operator.

        Raises `WrongType` where it has one that doesn't take the arguments.
        """
        if mark == "." and isinstance(source.type, CollectionType):
            return self._of_collection_or_elements(source, use)
        for candidate, operators in self._candidates(source, mark, use.name):
            if operators:
                return self._chosen(candidate, operators, use)
        return None

    def _candidates(self, source: TypedNode, mark: str, name: str) -> list[tuple[TypedNode, list[Operator]]]:
        """Return the sources that may be meant, each with its operators of a name, the likeliest first."""
        arrowed, dotted = self._operators(source, name, "->"), self._operators(source, name, ".")
        if mark == ".":
            return [(source, dotted)]
        if isinstance(source.type, CollectionType):
            return [(source, arrowed), (source, dotted)]
        if source.type in UNTYPED:  # it fits everywhere: an operator of collections would take characters
            arrowed = [operator for operator in arrowed if operator.signature.source.name == "Any"]
        as_set = set_of_itself(source)
        return [(source, arrowed), (as_set, self._operators(as_set, name, "->")), (source, dotted)]

    def _of_collection_or_elements(self, source: TypedNode, use: NameUse) -> TypedNode | None:
        """Prefer an operator of the collection if it takes as many arguments: `names.at(2)` is the second name."""
        dotted, arrowed = self._operators(source, use.name, "."), self._operators(source, use.name, "->")
        fitting = _with_arity(dotted, use.given) or _with_arity(arrowed, use.given)
        on_each = None if fitting else self._on_each_element(source, use)
        if on_each is not None or not (dotted or arrowed):
            return on_each
        return self._chosen(source, fitting or dotted or arrowed, use)

    def _operators(self, source: TypedNode, name: str, mark: str) -> list[Operator]:
        return [
            operator
            for operator in self.table.get(folded(name), ())
            if operator.signature.mark == mark and matches_source(operator.signature.source, source.type, {})
        ]

    def _on_each_element(self, source: TypedNode, use: NameUse) -> TypedNode | None:
        """Return the implicit collect: the operator on each element."""
        assert isinstance(source.type, CollectionType)
        element = self.context.new_variable("", source.type.element, source.at)
        body = self.find(element, ".", use)
        return None if body is None else self.collected(source, element, body, use.at)

    def collected(self, source: TypedNode, element: VariableRead, body: TypedNode, at: TextRange) -> TypedNode:
        """Return the call `source->collect(element | body)`."""
        (collect,) = self.table["collect"]
        body = flattenable(body)
        result = instantiated(collect.signature.result, {"Self": source.type, "U": body.type})
        return OperatorCall(at, result, collect, (source, TypedLambda(at, body.type, (element,), body)))

    def _chosen(self, source: TypedNode, operators: list[Operator], use: NameUse) -> TypedNode:
        """Return a call of the first operator that takes the arguments."""
        fitting = _with_arity(operators, use.given)
        if len(fitting) == 1:
            return self._call(fitting[0], source, use)
        once = replace(use, arguments=self._checked_once(use))
        for operator in fitting:
            try:
                return self._call(operator, source, once)
            except WrongType:
                continue
        signatures = ", or ".join(operator.text for operator in operators)
        raise WrongType(self.context.text, use.at.start, f"It is written as {signatures}.", end=use.at.end)

    def _checked_once(self, use: NameUse) -> list[Node]:
        """Check arguments that several operators look at once only: else nesting would take time without end."""
        return [
            node
            if isinstance(node, tree.Lambda)
            else CheckedArgument(node.at, self.context.check(node, use.scope), node)
            for node in use.given
        ]

    def _call(self, operator: Operator, source: TypedNode, use: NameUse) -> TypedNode:
        if isinstance(operator.value, AssociationFunction) and not isinstance(source, Navigation):
            raise self.context.wrong_type(source, f"{operator.name} changes an association end, and this is none.")
        nested = self._over_several_variables(operator, source, use)
        if nested is not None:
            return nested
        bindings: Bindings = {}
        matches_source(operator.signature.source, source.type, bindings)
        checker = ArgumentChecker(self.context, operator, use.scope, bindings)
        parameters = operator.signature.parameters
        arguments = [
            checker.checked(parameters[min(index, len(parameters) - 1)], node) for index, node in enumerate(use.given)
        ]
        result = self.context.limited_type(instantiated(operator.signature.result, bindings), source)
        return OperatorCall(use.at, result, operator, (source, *arguments))

    def _over_several_variables(self, operator: Operator, source: TypedNode, use: NameUse) -> TypedNode | None:
        """Return `forAll(a, b | …)` as `forAll(a | source->forAll(b | …))`; None for other arguments."""
        match use.given:
            case (tree.Lambda(parameters=(first, *others)) as node,) if (
                others and folded(operator.name) in WITH_SEVERAL_VARIABLES
            ):
                assert isinstance(source.type, CollectionType)
                variable = self.context.new_variable(first.name, source.type.element, first.at)
                inner = replace(node, parameters=tuple(others))
                scope = use.scope.with_variable(variable)
                body = self._call(operator, source, replace(use, arguments=(inner,), scope=scope))
                each = TypedLambda(use.at, body.type, (variable,), body)
                return OperatorCall(use.at, types.BOOLEAN, operator, (source, each))
        return None

    def infix(self, name: str, operands: Sequence[TypedNode], at: TextRange) -> TypedNode | None:
        """Return the call of an infix or prefix operator with checked operands; None if no operator takes them."""
        for operator in self.table[name]:
            patterns = operator.signature.patterns
            bindings: Bindings = {"Self": operands[0].type}
            fits = len(patterns) == len(operands) and all(
                matches(pattern, types.without_label(operand.type), bindings)
                for pattern, operand in zip(patterns, operands, strict=True)
            )
            if fits:
                typed = (self.context.label_as(operand, types.STRING) for operand in operands)
                arguments = tuple(
                    as_operand(pattern, operand) for pattern, operand in zip(patterns, typed, strict=True)
                )
                return OperatorCall(at, instantiated(operator.signature.result, bindings), operator, arguments)
        return None


def _with_arity(operators: list[Operator], arguments: Sequence[Node]) -> list[Operator]:
    """Return the operators that take as many arguments."""
    return [
        operator
        for operator in operators
        if operator.signature.min_arguments <= len(arguments) <= operator.signature.max_arguments
    ]


@dataclass(frozen=True, slots=True)
class CheckedArgument(Node):
    """An argument that is checked already, with its node."""

    typed: TypedNode
    node: Node


@dataclass(frozen=True, slots=True)
class ArgumentChecker:
    """Checks the arguments of one call of an operator, from left to right; each may bind type variables."""

    context: ExpressionContext
    operator: Operator
    scope: VariableScope
    bindings: Bindings

    def checked(self, parameter: ParameterPattern, node: Node) -> TypedNode:
        """Return the argument for a parameter with its type. Raises `WrongType`."""
        return self._lambda(parameter, node) if parameter.variables else self._value(parameter.pattern, node)

    def _value(self, pattern: TypePattern, node: Node) -> TypedNode:
        if isinstance(node, tree.Lambda):
            raise self._wrong(node, f"{self.operator.name} takes a value here, no variable.")
        typed = node.typed if isinstance(node, CheckedArgument) else self.context.check(node, self.scope)
        if isinstance(typed.type, LabelType):
            typed = self.context.label_as(typed, self.bindings.get(pattern.name, types.STRING))
        typed = self._converted(pattern, typed, node.node if isinstance(node, CheckedArgument) else node)
        if not matches(pattern, typed.type, self.bindings):
            raise self._wrong(node, f"{self.operator.name} can't take {typed.type} here.")
        if pattern.name == "State":
            self._check_state(typed, self.bindings["Self"])
        return typed

    def _converted(self, pattern: TypePattern, typed: TypedNode, node: Node) -> TypedNode:
        """Prefer the type that a word names where a type is expected, and a collection where one is."""
        if pattern.name == "Type" and not isinstance(typed.type, TypeOf):
            return self.context.type_named(node) or typed
        return as_operand(pattern, typed)

    def _check_state(self, state: TypedNode, source: Type) -> None:
        """Refuse a constant that names no state of the object's class or its subclasses."""
        names = self.context.names
        match state, source:
            case TypedConstant(value=str() as text), ObjectType(cls=cls) if not names.has_state(cls, text):
                known = state_names(names.states_of(names.subclasses(cls)))
                *_, last = text.split(".")
                self.context.raise_unknown(state.at.start, last, f"{source} has no state {text}.", known)

    def _lambda(self, parameter: ParameterPattern, node: Node) -> TypedLambda:
        variable, body = self._variable(node, instantiated(parameter.variables[0], self.bindings))
        scope = self.scope.with_variable(variable) if variable.name else self.scope.with_implicit(variable)
        typed = self.context.check_labels_as_text(body, scope)
        typed = flattenable(typed) if self.operator.signature.result.name == "Gathered" else typed
        if not matches(parameter.pattern, typed.type, self.bindings):
            raise self._wrong(body, f"{self.operator.name} can't take {typed.type} here.")
        return TypedLambda(node.at, typed.type, (variable,), typed)

    def _variable(self, node: Node, element: Type) -> tuple[VariableRead, Node]:
        """Return the variable of a lambda and its body; a lambda without `|` has a variable without a name."""
        match node:
            case tree.Lambda(parameters=(parameter,), body=body):
                return self.context.new_variable(parameter.name, element, parameter.at), body
            case tree.Lambda():
                raise self._wrong(node, f"{self.operator.name} takes one variable.")
            case _:
                return self.context.new_variable("", element, node.at), node

    def _wrong(self, node: Node, problem: str) -> WrongType:
        return self.context.wrong_type(node, f"{problem} It is written as {self.operator.text}.")
