"""Checks the arguments of a call against the signature of its operator."""

from dataclasses import dataclass

from afterwork.errors import WrongType
from afterwork.language.check.context import ExpressionContext, VariableScope
from afterwork.language.check.conversions import as_operand, flattenable
from afterwork.language.check.type_patterns import Bindings, instantiated, matches
from afterwork.language.syntax import tree
from afterwork.language.syntax.tree import Node
from afterwork.language.typed import types
from afterwork.language.typed.nodes import TypedConstant, TypedLambda, TypedNode, VariableRead
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.signature import ParameterPattern, TypePattern
from afterwork.language.typed.states import state_names
from afterwork.language.typed.types import LabelType, ObjectType, Type, TypeOf


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
            typed = self.context.settled(typed, self.bindings.get(pattern.name, types.STRING))
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
        typed = self.context.check_settled(body, scope)
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
