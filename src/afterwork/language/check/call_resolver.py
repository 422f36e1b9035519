"""Which operator a call means, and whether it is given what it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afterwork.errors import WrongType
from afterwork.language.check.context import Context, Scope
from afterwork.language.check.type_patterns import Bound, made, matches, takes
from afterwork.language.syntax import tree
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, Place
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Call, Constant, Follow, Lambda, Single, Typed, Variable
from afterwork.language.typed.operator import OnEnd, Operator
from afterwork.language.typed.signature import Pattern, Wanted
from afterwork.language.typed.states import state_names
from afterwork.language.typed.types import CollectionType, EnumType, LabelType, ObjectType, Type, TypeOf

Table = Mapping[str, Sequence[Operator]]
"""All operators by their folded names."""

UNKNOWN = (types.ANY, types.NULL)
"""Types of which it shows only in a run whether the value is a collection."""

OVER_SEVERAL = ("exists", "forall")
"""Lambdas of these may have several variables: each goes over the whole collection."""


@dataclass(frozen=True, slots=True)
class CheckedNode(Node):
    """An argument that has been checked, and the node that it was."""

    typed: Typed
    node: Node


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
        if mark == "." and isinstance(source.type, CollectionType):
            return self._of_all_or_each(source, name, arguments, scope, at)
        for candidate_source, operators in self._candidates(source, mark, name):
            if operators:
                return self._chosen(candidate_source, operators, arguments, scope, at)
        return None

    def _candidates(self, source: Typed, mark: str, name: str) -> list[tuple[Typed, list[Operator]]]:
        """Where the operator may be found, the likeliest first."""
        many, one = self._of(source, name, "->"), self._of(source, name, ".")
        if mark == ".":
            return [(source, one)]
        if isinstance(source.type, CollectionType):
            return [(source, many), (source, one)]
        if source.type in UNKNOWN:  # of what fits everywhere, an operator of collections would take characters
            many = [operator for operator in many if operator.signature.source.name == "Any"]
        as_set = single(source)
        return [(source, many), (as_set, self._of(as_set, name, "->")), (source, one)]

    def _of_all_or_each(
        self, source: Typed, name: str, arguments: Sequence[Node], scope: Scope, at: Place
    ) -> Typed | None:
        """An operator of the collection goes first, if it takes so many arguments: `names.at(2)` is the second name."""
        dotted, arrows = self._of(source, name, "."), self._of(source, name, "->")
        own = dotted or arrows
        fitting = _taking(dotted, arguments) or _taking(arrows, arguments)
        on_each = None if fitting else self._on_each(source, name, arguments, scope, at)
        if on_each is not None or not own:
            return on_each
        return self._chosen(source, fitting or own, arguments, scope, at)

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
        body = flattened(body)
        bound: Bound = {"Self": source.type, "U": body.type}
        return Call(
            at, made(collect.signature.result, bound), collect, (source, Lambda(at, body.type, (element,), body))
        )

    def _chosen(
        self, source: Typed, operators: list[Operator], arguments: Sequence[Node], scope: Scope, at: Place
    ) -> Typed:
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

    def _checked_once(self, arguments: Sequence[Node], scope: Scope) -> list[Node]:
        """Arguments that several operators look at: checked but once, or nesting would take time without end."""
        return [
            one if isinstance(one, tree.Lambda) else CheckedNode(one.at, self.context.check(one, scope), one)
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
                settled = (self.settled(operand, types.STRING) for operand in operands)
                given = tuple(_fitted(pattern, one) for pattern, one in zip(patterns, settled, strict=True))
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
        typed = self._as_wanted(wanted.pattern, typed, node.node if isinstance(node, CheckedNode) else node)
        if not matches(wanted.pattern, typed.type, bound):
            raise self.context.wrong(node, f"{operator.name} can't take {typed.type} here. {_written(operator)}")
        if wanted.pattern.name == "State":
            self._check_state(typed, bound["Self"])
        return typed

    def _as_wanted(self, pattern: Pattern, typed: Typed, node: Node) -> Typed:
        """A word that names a type, where one is wanted; what may be a collection, where one is wanted, as one."""
        if pattern.name == "Type" and not isinstance(typed.type, TypeOf):
            return self.context.type_named(node) or typed
        return _fitted(pattern, typed)

    def _check_state(self, state: Typed, source: Type) -> None:
        """A state that is known beforehand must be one that the object may be in."""
        names = self.context.names
        if not isinstance(state, Constant) or not isinstance(state.value, str) or not isinstance(source, ObjectType):
            return
        if not names.have_state(source.cls, state.value):
            known = state_names(names.states_of(names.subclasses(source.cls)))
            *_, last = state.value.split(".")
            self.context.unknown(state.at.start, last, f"{source} has no state {state.value}.", known)

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
        typed = flattened(typed) if operator.signature.result.name == "Gathered" else typed
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


def _taking(operators: list[Operator], arguments: Sequence[Node]) -> list[Operator]:
    """Return the operators that take so many arguments."""
    return [one for one in operators if one.signature.least <= len(arguments) <= one.signature.most]


def single(typed: Typed) -> Typed:
    """Return a value as a Set of itself."""
    element = types.ANY if typed.type in UNKNOWN else types.plain(typed.type)
    return Single(typed.at, CollectionType("Set", element), typed)


def flattened(typed: Typed) -> Typed:
    """Return what may be a collection as one, since it is put into another."""
    return single(typed) if typed.type == types.ANY else typed


def collected_if(typed: Typed, wanted: Type) -> Typed:
    """Return what may be a collection as one, where one is wanted."""
    return Single(typed.at, wanted, typed) if isinstance(wanted, CollectionType) and typed.type in UNKNOWN else typed


def _fitted(pattern: Pattern, typed: Typed) -> Typed:
    """Return what may be a collection as one, where an operator takes one."""
    return single(typed) if pattern.name.lower() in types.KINDS and typed.type in UNKNOWN else typed


def _expected(pattern: Pattern, bound: Bound) -> Type:
    return bound.get(pattern.name, types.STRING)


def _written(operator: Operator) -> str:
    return f"It is written as {operator.text}."
