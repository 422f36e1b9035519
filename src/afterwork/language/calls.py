"""Which operator a call means, and whether it is given what it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afterwork.errors import WrongType
from afterwork.language import tree, types
from afterwork.language.context import Context, Scope
from afterwork.language.matching import Bound, made, matches, takes
from afterwork.language.names import folded
from afterwork.language.operator import OnEnd, Operator
from afterwork.language.signature import Pattern, Wanted
from afterwork.language.tree import Node, Place
from afterwork.language.typed import Call, Constant, Follow, Lambda, Single, Typed, Variable
from afterwork.language.types import CollectionType, EnumType, LabelType, Type

Table = Mapping[str, Sequence[Operator]]
"""All operators by their folded names."""

OVER_SEVERAL = ("exists", "forall")
"""Lambdas of these may have several variables: each goes over the whole collection."""


@dataclass(frozen=True, slots=True)
class CheckedNode(Node):
    """An argument that has been checked."""

    typed: Typed


class Calls:
    """Finds operators in a table for one check."""

    def __init__(self, context: Context, table: Table) -> None:
        self.context = context
        self.table = table

    def find(
        self, source: Typed, mark: str, name: str, arguments: Sequence[Node], scope: Scope, at: Place
    ) -> Typed | None:
        """The call that `source.name(arguments)` means, or None where the source's type has no such operator.

        Raises what is wrong with the arguments where it has one.
        """
        for candidate_source, operators in self._candidates(source, mark, name):
            if operators:
                return self._chosen(candidate_source, operators, arguments, scope, at)
        if mark == "." and isinstance(source.type, CollectionType):
            return self._on_each(source, name, arguments, scope, at)
        return None

    def _candidates(self, source: Typed, mark: str, name: str) -> list[tuple[Typed, list[Operator]]]:
        """Where the operator may be found, the likeliest first."""
        many, one = self._of(source, name, "->"), self._of(source, name, ".")
        if isinstance(source.type, CollectionType):
            if mark == "->":
                return [(source, many), (source, one)]
            element = self.context.variable("", source.type.element, source.at)
            on_elements = self._of(element, name, ".")
            return [(source, one), *([] if on_elements else [(source, many)])]
        if mark == ".":
            return [(source, one)]
        as_set = Single(source.at, CollectionType("Set", types.plain(source.type)), source)
        return [(source, many), (as_set, self._of(as_set, name, "->")), (source, one)]

    def _of(self, source: Typed, name: str, mark: str) -> list[Operator]:
        found = self.table.get(folded(name), ())
        return [one for one in found if one.signature.mark == mark and takes(one.signature.source, source.type, {})]

    def _on_each(self, source: Typed, name: str, arguments: Sequence[Node], scope: Scope, at: Place) -> Typed | None:
        """The implicit collect: the operator on each element."""
        assert isinstance(source.type, CollectionType)
        element = self.context.variable("", source.type.element, source.at)
        body = self.find(element, ".", name, arguments, scope, at)
        return None if body is None else self.collected(source, element, body, at)

    def collected(self, source: Typed, element: Variable, body: Typed, at: Place) -> Typed:
        """`source->collect(element | body)`."""
        (collect,) = self.table["collect"]
        bound: Bound = {"Self": source.type, "U": body.type}
        return Call(
            at, made(collect.signature.result, bound), collect, (source, Lambda(at, body.type, (element,), body))
        )

    def _chosen(
        self, source: Typed, operators: list[Operator], arguments: Sequence[Node], scope: Scope, at: Place
    ) -> Typed:
        """The first operator that takes the arguments."""
        fitting = [one for one in operators if one.signature.least <= len(arguments) <= one.signature.most]
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

    def _checked_once(self, arguments: Sequence[Node], scope: Scope) -> list[Node]:
        """Arguments that several operators look at: checked but once, or nesting would take time without end."""
        return [
            one if isinstance(one, tree.Lambda) else CheckedNode(one.at, self.context.check(one, scope))
            for one in arguments
        ]

    def _call(self, operator: Operator, source: Typed, arguments: Sequence[Node], scope: Scope, at: Place) -> Typed:
        if isinstance(operator.value, OnEnd) and not isinstance(source, Follow):
            raise self.context.wrong(source, f"{operator.name} changes an association end, and this is none.")
        bound: Bound = {}
        takes(operator.signature.source, source.type, bound)
        several = self._over_several(operator, source, arguments, scope, at)
        if several is not None:
            return several
        given = [source]
        for index, argument in enumerate(arguments):
            wanted = operator.signature.wanted[min(index, len(operator.signature.wanted) - 1)]
            given.append(self._argument(operator, wanted, argument, scope, bound))
        result = self.context.light(made(operator.signature.result, bound), source)
        return Call(at, result, operator, tuple(given))

    def infix(self, name: str, operands: Sequence[Typed], at: Place) -> Typed | None:
        """The call that an infix or prefix operator between checked operands means, or None."""
        for operator in self.table[name]:
            patterns = [operator.signature.source, *(one.pattern for one in operator.signature.wanted)]
            bound: Bound = {"Self": operands[0].type}
            fits = len(patterns) == len(operands) and all(
                matches(pattern, types.plain(operand.type), bound)
                for pattern, operand in zip(patterns, operands, strict=True)
            )
            if fits:
                given = tuple(self.settled(operand, types.STRING) for operand in operands)
                return Call(at, made(operator.signature.result, bound), operator, given)
        return None

    # Arguments

    def _argument(self, operator: Operator, wanted: Wanted, node: Node, scope: Scope, bound: Bound) -> Typed:
        if wanted.variables:
            return self._lambda(operator, wanted, node, scope, bound)
        if isinstance(node, tree.Lambda):
            raise self.context.wrong(node, f"{operator.name} takes a value here, no variable. {_written(operator)}")
        typed = node.typed if isinstance(node, CheckedNode) else self.context.check(node, scope)
        if isinstance(typed.type, LabelType):
            typed = self.settled(typed, _expected(wanted.pattern, bound))
        if not matches(wanted.pattern, typed.type, bound):
            raise self.context.wrong(node, f"{operator.name} can't take {typed.type} here. {_written(operator)}")
        return typed

    def settled(self, typed: Typed, wanted: Type) -> Typed:
        """A label as the member of the enumeration that is wanted, or as a text; all else as it is."""
        if not isinstance(typed.type, LabelType):
            return typed
        if not isinstance(wanted, EnumType):
            return Constant(typed.at, types.STRING, typed.type.name)
        members = wanted.cls.__members__
        found = [member for name, member in members.items() if folded(name) == folded(typed.type.name)]
        if not found:
            problem = f"{wanted} has no member {typed.type.name}."
            self.context.unknown(typed.at.start, typed.type.name, problem, list(members))
        return Constant(typed.at, wanted, found[0])

    def _lambda(self, operator: Operator, wanted: Wanted, node: Node, scope: Scope, bound: Bound) -> Lambda:
        element = made(wanted.variables[0], bound)
        variable, body = self._variable(operator, node, element)
        inner = scope.within(variable) if not variable.name else scope.having(variable)
        typed = self.settled(self.context.check(body, inner), types.STRING)
        if not matches(wanted.pattern, typed.type, bound):
            raise self.context.wrong(body, f"{operator.name} can't take {typed.type} here. {_written(operator)}")
        return Lambda(node.at, typed.type, (variable,), typed)

    def _variable(self, operator: Operator, node: Node, element: Type) -> tuple[Variable, Node]:
        match node:
            case tree.Lambda(parameters=(parameter,), body=body):
                return self.context.variable(parameter.name, element, parameter.at), body
            case tree.Lambda():
                raise self.context.wrong(node, f"{operator.name} takes one variable. {_written(operator)}")
            case _:
                return self.context.variable("", element, node.at), node

    def _over_several(
        self, operator: Operator, source: Typed, arguments: Sequence[Node], scope: Scope, at: Place
    ) -> Typed | None:
        """`forAll(a, b | …)` is `forAll(a | source->forAll(b | …))`."""
        match arguments:
            case (tree.Lambda(parameters=(first, *others)) as node,) if (
                others and folded(operator.name) in OVER_SEVERAL
            ):
                inner = replace(node, parameters=tuple(others))
                assert isinstance(source.type, CollectionType)
                variable = self.context.variable(first.name, source.type.element, first.at)
                rest = self._call(operator, source, (inner,), scope.having(variable), at)
                return Call(at, types.BOOLEAN, operator, (source, Lambda(at, rest.type, (variable,), rest)))
        return None


def _expected(pattern: Pattern, bound: Bound) -> Type:
    return bound.get(pattern.name, types.STRING)


def _written(operator: Operator) -> str:
    return f"It is written as {operator.text}."
