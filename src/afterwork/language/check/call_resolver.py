"""Which operator a call means, and whether it is given what it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afterwork.errors import WrongType
from afterwork.language.check.context import CheckContext, VariableScope
from afterwork.language.check.type_patterns import Bindings, instantiated, matches, matches_source
from afterwork.language.syntax import tree
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, TextRange
from afterwork.language.typed import types
from afterwork.language.typed.nodes import (
    AsSet,
    Navigation,
    OperatorCall,
    TypedConstant,
    TypedLambda,
    TypedNode,
    VariableRead,
)
from afterwork.language.typed.operator import AssociationFunction, Operator
from afterwork.language.typed.signature import ParameterPattern, TypePattern
from afterwork.language.typed.states import state_names
from afterwork.language.typed.types import CollectionType, EnumType, LabelType, ObjectType, Type, TypeOf

OperatorTable = Mapping[str, Sequence[Operator]]
"""All operators by their folded names."""

UNTYPED = (types.ANY, types.NULL)
"""Types of which it shows only in a run whether the value is a collection."""

WITH_SEVERAL_VARIABLES = ("exists", "forall")
"""Lambdas of these may have several variables: each goes over the whole collection."""


@dataclass(frozen=True, slots=True)
class CheckedArgument(Node):
    """An argument that has been checked, and the node that it was."""

    typed: TypedNode
    node: Node


class CallResolver:
    """Finds operators in a table for one check."""

    def __init__(self, context: CheckContext, table: OperatorTable) -> None:
        self.context = context
        self.table = table

    def find(
        self, source: TypedNode, mark: str, name: str, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        """The call that `source.name(arguments)` means, or None where the source's type has no such operator.

        Raises what is wrong with the arguments where it has one.
        """
        if mark == "." and isinstance(source.type, CollectionType):
            return self._of_all_or_each(source, name, arguments, scope, at)
        for candidate_source, operators in self._candidates(source, mark, name):
            if operators:
                return self._chosen(candidate_source, operators, arguments, scope, at)
        return None

    def _candidates(self, source: TypedNode, mark: str, name: str) -> list[tuple[TypedNode, list[Operator]]]:
        """Where the operator may be found, the likeliest first."""
        many, one = self._of(source, name, "->"), self._of(source, name, ".")
        if mark == ".":
            return [(source, one)]
        if isinstance(source.type, CollectionType):
            return [(source, many), (source, one)]
        if source.type in UNTYPED:  # of what fits everywhere, an operator of collections would take characters
            many = [operator for operator in many if operator.signature.source.name == "Any"]
        as_set = set_of_itself(source)
        return [(source, many), (as_set, self._of(as_set, name, "->")), (source, one)]

    def _of_all_or_each(
        self, source: TypedNode, name: str, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        """An operator of the collection goes first, if it takes so many arguments: `names.at(2)` is the second name."""
        dotted, arrows = self._of(source, name, "."), self._of(source, name, "->")
        own = dotted or arrows
        fitting = _taking(dotted, arguments) or _taking(arrows, arguments)
        on_each = None if fitting else self._on_each(source, name, arguments, scope, at)
        if on_each is not None or not own:
            return on_each
        return self._chosen(source, fitting or own, arguments, scope, at)

    def _of(self, source: TypedNode, name: str, mark: str) -> list[Operator]:
        found = self.table.get(folded(name), ())
        return [
            one for one in found if one.signature.mark == mark and matches_source(one.signature.source, source.type, {})
        ]

    def _on_each(
        self, source: TypedNode, name: str, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        """The implicit collect: the operator on each element."""
        assert isinstance(source.type, CollectionType)
        element = self.context.new_variable("", source.type.element, source.at)
        body = self.find(element, ".", name, arguments, scope, at)
        return None if body is None else self.collected(source, element, body, at)

    def collected(self, source: TypedNode, element: VariableRead, body: TypedNode, at: TextRange) -> TypedNode:
        """`source->collect(element | body)`."""
        (collect,) = self.table["collect"]
        body = flattenable(body)
        bound: Bindings = {"Self": source.type, "U": body.type}
        return OperatorCall(
            at,
            instantiated(collect.signature.result, bound),
            collect,
            (source, TypedLambda(at, body.type, (element,), body)),
        )

    def _chosen(
        self,
        source: TypedNode,
        operators: list[Operator],
        arguments: Sequence[Node],
        scope: VariableScope,
        at: TextRange,
    ) -> TypedNode:
        """The first operator that takes the arguments."""
        fitting = _taking(operators, arguments)
        if len(fitting) == 1:
            return self._call(fitting[0], source, arguments, scope, at)
        once = self._checked_once(arguments, scope)
        for operator in fitting:
            try:
                return self._call(operator, source, once, scope, at)
            except WrongType:
                continue
        signatures = ", or ".join(operator.text for operator in operators)
        raise WrongType(self.context.text, at.start, f"It is written as {signatures}.", end=at.end)

    def _checked_once(self, arguments: Sequence[Node], scope: VariableScope) -> list[Node]:
        """Arguments that several operators look at: checked but once, or nesting would take time without end."""
        return [
            one if isinstance(one, tree.Lambda) else CheckedArgument(one.at, self.context.check(one, scope), one)
            for one in arguments
        ]

    def _call(
        self, operator: Operator, source: TypedNode, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode:
        if isinstance(operator.value, AssociationFunction) and not isinstance(source, Navigation):
            raise self.context.wrong_type(source, f"{operator.name} changes an association end, and this is none.")
        bound: Bindings = {}
        matches_source(operator.signature.source, source.type, bound)
        several = self._over_several(operator, source, arguments, scope, at)
        if several is not None:
            return several
        given = [source]
        for index, argument in enumerate(arguments):
            wanted = operator.signature.parameters[min(index, len(operator.signature.parameters) - 1)]
            given.append(self._argument(operator, wanted, argument, scope, bound))
        result = self.context.limited_type(instantiated(operator.signature.result, bound), source)
        return OperatorCall(at, result, operator, tuple(given))

    def infix(self, name: str, operands: Sequence[TypedNode], at: TextRange) -> TypedNode | None:
        """The call that an infix or prefix operator between checked operands means, or None."""
        for operator in self.table[name]:
            patterns = [operator.signature.source, *(one.pattern for one in operator.signature.parameters)]
            bound: Bindings = {"Self": operands[0].type}
            fits = len(patterns) == len(operands) and all(
                matches(pattern, types.without_label(operand.type), bound)
                for pattern, operand in zip(patterns, operands, strict=True)
            )
            if fits:
                settled = (self.settled(operand, types.STRING) for operand in operands)
                given = tuple(_fitted(pattern, one) for pattern, one in zip(patterns, settled, strict=True))
                return OperatorCall(at, instantiated(operator.signature.result, bound), operator, given)
        return None

    # Arguments

    def _argument(
        self, operator: Operator, wanted: ParameterPattern, node: Node, scope: VariableScope, bound: Bindings
    ) -> TypedNode:
        if wanted.variables:
            return self._lambda(operator, wanted, node, scope, bound)
        if isinstance(node, tree.Lambda):
            raise self.context.wrong_type(
                node, f"{operator.name} takes a value here, no variable. {_written(operator)}"
            )
        typed = node.typed if isinstance(node, CheckedArgument) else self.context.check(node, scope)
        if isinstance(typed.type, LabelType):
            typed = self.settled(typed, _expected(wanted.pattern, bound))
        typed = self._as_wanted(wanted.pattern, typed, node.node if isinstance(node, CheckedArgument) else node)
        if not matches(wanted.pattern, typed.type, bound):
            raise self.context.wrong_type(node, f"{operator.name} can't take {typed.type} here. {_written(operator)}")
        if wanted.pattern.name == "State":
            self._check_state(typed, bound["Self"])
        return typed

    def _as_wanted(self, pattern: TypePattern, typed: TypedNode, node: Node) -> TypedNode:
        """A word that names a type, where one is wanted; what may be a collection, where one is wanted, as one."""
        if pattern.name == "Type" and not isinstance(typed.type, TypeOf):
            return self.context.type_named(node) or typed
        return _fitted(pattern, typed)

    def _check_state(self, state: TypedNode, source: Type) -> None:
        """A state that is known beforehand must be one that the object may be in."""
        names = self.context.names
        if (
            not isinstance(state, TypedConstant)
            or not isinstance(state.value, str)
            or not isinstance(source, ObjectType)
        ):
            return
        if not names.has_state(source.cls, state.value):
            known = state_names(names.states_of(names.subclasses(source.cls)))
            *_, last = state.value.split(".")
            self.context.raise_unknown(state.at.start, last, f"{source} has no state {state.value}.", known)

    def settled(self, typed: TypedNode, wanted: Type) -> TypedNode:
        """A label as the member of the enumeration that is wanted, or as a text; all else as it is."""
        if not isinstance(typed.type, LabelType):
            return typed
        if not isinstance(wanted, EnumType):
            return TypedConstant(typed.at, types.STRING, typed.type.name)
        members = wanted.cls.__members__
        found = [member for name, member in members.items() if folded(name) == folded(typed.type.name)]
        if not found:
            problem = f"{wanted} has no member {typed.type.name}."
            self.context.raise_unknown(typed.at.start, typed.type.name, problem, list(members))
        return TypedConstant(typed.at, wanted, found[0])

    def _lambda(
        self, operator: Operator, wanted: ParameterPattern, node: Node, scope: VariableScope, bound: Bindings
    ) -> TypedLambda:
        element = instantiated(wanted.variables[0], bound)
        variable, body = self._variable(operator, node, element)
        inner = scope.with_implicit(variable) if not variable.name else scope.with_variable(variable)
        typed = self.settled(self.context.check(body, inner), types.STRING)
        typed = flattenable(typed) if operator.signature.result.name == "Gathered" else typed
        if not matches(wanted.pattern, typed.type, bound):
            raise self.context.wrong_type(body, f"{operator.name} can't take {typed.type} here. {_written(operator)}")
        return TypedLambda(node.at, typed.type, (variable,), typed)

    def _variable(self, operator: Operator, node: Node, element: Type) -> tuple[VariableRead, Node]:
        match node:
            case tree.Lambda(parameters=(parameter,), body=body):
                return self.context.new_variable(parameter.name, element, parameter.at), body
            case tree.Lambda():
                raise self.context.wrong_type(node, f"{operator.name} takes one variable. {_written(operator)}")
            case _:
                return self.context.new_variable("", element, node.at), node

    def _over_several(
        self, operator: Operator, source: TypedNode, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        """`forAll(a, b | …)` is `forAll(a | source->forAll(b | …))`."""
        match arguments:
            case (tree.Lambda(parameters=(first, *others)) as node,) if (
                others and folded(operator.name) in WITH_SEVERAL_VARIABLES
            ):
                inner = replace(node, parameters=tuple(others))
                assert isinstance(source.type, CollectionType)
                variable = self.context.new_variable(first.name, source.type.element, first.at)
                rest = self._call(operator, source, (inner,), scope.with_variable(variable), at)
                return OperatorCall(
                    at, types.BOOLEAN, operator, (source, TypedLambda(at, rest.type, (variable,), rest))
                )
        return None


def _taking(operators: list[Operator], arguments: Sequence[Node]) -> list[Operator]:
    """Return the operators that take so many arguments."""
    return [one for one in operators if one.signature.min_arguments <= len(arguments) <= one.signature.max_arguments]


def set_of_itself(typed: TypedNode) -> TypedNode:
    """Return a value as a Set of itself."""
    element = types.ANY if typed.type in UNTYPED else types.without_label(typed.type)
    return AsSet(typed.at, CollectionType("Set", element), typed)


def flattenable(typed: TypedNode) -> TypedNode:
    """Return what may be a collection as one, since it is put into another."""
    return set_of_itself(typed) if typed.type == types.ANY else typed


def as_expected_collection(typed: TypedNode, wanted: Type) -> TypedNode:
    """Return what may be a collection as one, where one is wanted."""
    return AsSet(typed.at, wanted, typed) if isinstance(wanted, CollectionType) and typed.type in UNTYPED else typed


def _fitted(pattern: TypePattern, typed: TypedNode) -> TypedNode:
    """Return what may be a collection as one, where an operator takes one."""
    return set_of_itself(typed) if pattern.name.lower() in types.COLLECTION_KINDS and typed.type in UNTYPED else typed


def _expected(pattern: TypePattern, bound: Bindings) -> Type:
    return bound.get(pattern.name, types.STRING)


def _written(operator: Operator) -> str:
    return f"It is written as {operator.text}."
