"""What a word means: a variable, a member, a method, an operator, a class."""

from collections.abc import Iterable, Sequence

from afterwork.errors import WrongType
from afterwork.language.check.call_resolver import CallResolver, as_expected_collection, set_of_itself
from afterwork.language.check.context import CheckContext, VariableScope
from afterwork.language.syntax import tree
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, TextRange, TypeName
from afterwork.language.typed import types
from afterwork.language.typed.members import AttributeMember, Member
from afterwork.language.typed.names import ModelMethod
from afterwork.language.typed.nodes import (
    AttributeRead,
    Fold,
    MayRunMethod,
    MethodCall,
    Navigation,
    TuplePart,
    TypedConstant,
    TypedNode,
    VariableRead,
)
from afterwork.language.typed.types import CollectionType, EnumType, ObjectType, TupleType, Type, TypeOf, ViewModelsOf

Arguments = tuple[Node, ...] | None


class NameResolver:
    """Finds what names mean in one check."""

    def __init__(self, context: CheckContext, calls: CallResolver) -> None:
        self.context = context
        self.names = context.names
        self.calls = calls

    # Words on their own

    def word(self, node: tree.Name, scope: VariableScope) -> TypedNode:
        """An exact name goes first: in an Order, `Customer` is the class and `customer` the member."""
        name, at = node.name, node.at
        if name in scope.variables:
            return self._used(scope.variables[name], at)
        kind, exact = self._kind(name), self._exact_member(name, scope)
        if kind is not None and str(kind) == name and exact is None:
            return self._type(kind, at)
        variable = scope.find_variable(name)
        if variable is not None and exact is None:
            return self._used(variable, at)
        member = self._of_implicit(name, None, scope, at)
        if member is not None:
            return member
        return self._no_word(node, scope) if kind is None else self._type(kind, at)

    def _used(self, variable: VariableRead, at: TextRange) -> VariableRead:
        return VariableRead(at, variable.type, variable.name, variable.slot)

    def _exact_member(self, name: str, scope: VariableScope) -> VariableRead | None:
        for variable in scope.implicit:
            if isinstance(variable.type, ObjectType) and name in self.names.members(variable.type.cls):
                return variable
        return None

    def _of_implicit(self, name: str, arguments: Arguments, scope: VariableScope, at: TextRange) -> TypedNode | None:
        for variable in scope.implicit:
            found = self.access(self._used(variable, at), name, arguments, scope, at)
            if found is not None:
                return found
        return None

    def _type(self, kind: Type, at: TextRange) -> TypedConstant:
        return TypedConstant(at, TypeOf(kind), kind.cls if isinstance(kind, ObjectType) else kind)

    def _kind(self, name: str) -> Type | None:
        """The type of a name."""
        cls = self.names.find_class(name)
        return (
            ObjectType(cls)
            if cls is not None
            else types.BASIC_TYPES.get(name.lower()) or self.names.find_enumeration(name)
        )

    def type_named(self, node: Node) -> TypedConstant | None:
        """Return the type that a word names, whatever else goes by it; None if there is none."""
        match node:
            case tree.MayRun(operand=tree.Name() as asked):
                return self.type_named(asked)
            case tree.Name(name=name, at=at):
                kind = self._kind(name)
                return None if kind is None else self._type(kind, at)
        return None

    def as_type(self, typed: TypedNode, node: Node) -> TypedNode:
        """Return the type that a word names where a type is wanted; all else as it is."""
        return typed if isinstance(typed.type, TypeOf) else self.type_named(node) or typed

    def path(self, node: tree.PathName, scope: VariableScope) -> TypedNode:
        """Return what a type is asked for: `Kind::Large`. Before `::`, a word can be nothing else."""
        kind = self.type_named(node.source)
        if kind is None:
            known = [*self.names.classes, *map(str, self.names.enumerations)]
            name = self.context.text[node.source.at.start : node.source.at.end]
            self.context.raise_unknown(node.source.at.start, name, f"There is no type {name}.", known)
        found = self.access(kind, node.name, node.arguments, scope, node.at)
        if found is None:
            problem = f"{kind.type} has no {node.name}."
            self.context.raise_unknown(node.source.at.end, node.name, problem, self.known(kind.type))
        return found

    def _no_word(self, node: tree.Name, scope: VariableScope) -> TypedNode:
        known = [*scope.variables, *self.names.classes]
        for variable in scope.implicit:
            known += self.known(variable.type)
        self.context.raise_unknown(node.at.start, node.name, f"There is no {node.name} here.", known)

    # After a dot or an arrow

    def dot(self, node: tree.Dot, scope: VariableScope) -> TypedNode:
        """A member, a method or an operator of what stands before the dot; without that, of self or the element."""
        if node.source is None:
            found = self._of_implicit(node.name, node.arguments, scope, node.at)
            if found is None:
                known = [one for variable in scope.implicit for one in self.known(variable.type)]
                self.context.raise_unknown(node.at.start, node.name, f"There is no operator {node.name} here.", known)
            return found
        source = self.context.check(node.source, scope)
        found = self.access(source, node.name, node.arguments, scope, node.at)
        if found is None and (kind := self.type_named(node.source)) is not None:
            found = self.access(kind, node.name, node.arguments, scope, node.at)
        if found is None:
            problem = f"{source.type} has no {node.name}."
            self.context.raise_unknown(node.source.at.end, node.name, problem, self.known(source.type))
        return found

    def arrow(self, node: tree.Arrow, scope: VariableScope) -> TypedNode:
        """An operator of a collection; what is no collection becomes a Set of itself."""
        source = self.context.check(node.source, scope)
        if folded(node.name) == "iterate":
            return self._fold(node, source, scope)
        found = self.calls.find(source, "->", node.name, node.arguments or (), scope, node.at)
        if found is None and isinstance(source.type, ObjectType) and node.arguments is None:
            found = self.access(source, node.name, None, scope, node.at)
        if found is None and (kind := self.type_named(node.source)) is not None:
            found = self.access(kind, node.name, node.arguments, scope, node.at)
        if found is None:
            problem = f"{source.type} has no operator {node.name}."
            self.context.raise_unknown(node.source.at.end, node.name, problem, self._operators())
        return found

    def access(
        self, source: TypedNode, name: str, arguments: Arguments, scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        """`source.name` or `source.name(arguments)`, or None where there is no such thing."""
        if arguments is None:
            member = self._member(source, name, at)
            if member is not None:
                return member
        return self._method(source, name, arguments or (), scope, at) or self.calls.find(
            source, ".", name, arguments or (), scope, at
        )

    def _member(self, source: TypedNode, name: str, at: TextRange) -> TypedNode | None:
        match source.type:
            case ObjectType(cls=cls):
                member = self.names.find_member(cls, name)
                return None if member is None else member_access(source, member, at)
            case TupleType(parts=parts):
                found = [index for index, (part, _) in enumerate(parts) if folded(part) == folded(name)]
                return TuplePart(at, parts[found[0]][1], source, found[0]) if found else None
            case CollectionType(element=ObjectType() | TupleType() as element):
                variable = self.context.new_variable("", element, source.at)
                body = self._member(variable, name, at)
                return None if body is None else self.calls.collected(source, variable, body, at)
            case TypeOf(of=of):
                return self._of_type(of, name, at)
            case ViewModelsOf(cls=cls):
                view_model = self.names.find_view_model(cls, name)
                return None if view_model is None else TypedConstant(at, types.STRING, view_model)
        return None

    def _of_type(self, of: Type, name: str, at: TextRange) -> TypedNode | None:
        match of:
            case ObjectType(cls=cls) if folded(name) == "viewmodels":
                return TypedConstant(at, ViewModelsOf(cls), None)
            case EnumType(cls=enumeration):
                found = [one for key, one in enumeration.__members__.items() if folded(key) == folded(name)]
                return TypedConstant(at, of, found[0]) if found else None
        return None

    def _method(
        self, source: TypedNode, name: str, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode | None:
        match source.type:
            case ObjectType(cls=cls):
                method = self.names.find_method(cls, name)
                return None if method is None else self._invoked(source, method, arguments, scope, at)
            case CollectionType(element=ObjectType() as element):
                variable = self.context.new_variable("", element, source.at)
                body = self._method(variable, name, arguments, scope, at)
                return None if body is None else self.calls.collected(source, variable, body, at)
        return None

    def _invoked(
        self, source: TypedNode, method: ModelMethod, arguments: Sequence[Node], scope: VariableScope, at: TextRange
    ) -> TypedNode:
        given = [self.calls.settled(self.context.check(argument, scope), types.STRING) for argument in arguments]
        if len(given) == len(method.parameters):
            given = [as_expected_collection(one, wanted) for one, wanted in zip(given, method.parameters, strict=True)]
        fits = len(given) == len(method.parameters) and all(
            types.conforms(one.type, wanted) for one, wanted in zip(given, method.parameters, strict=True)
        )
        if not fits:
            wanted = ", ".join(map(str, method.parameters))
            raise WrongType(self.context.text, at.start, f"It is written as {method.name}({wanted}).", end=at.end)
        return MethodCall(at, method.result, source, method, tuple(given))

    def _fold(self, node: tree.Arrow, source: TypedNode, scope: VariableScope) -> TypedNode:
        source = source if isinstance(source.type, CollectionType) else set_of_itself(source)
        match source.type, node.arguments:
            case CollectionType(element=kind), (
                tree.Lambda(parameters=(element, tree.Parameter(value=tree.Node() as start) as result), body=body),
            ):
                first = self.calls.settled(self.context.check(start, scope), types.STRING)
                variable = self.context.new_variable(element.name, kind, element.at)
                declared = first.type if result.declared is None else self.declared(result.declared)
                first = as_expected_collection(first, declared)
                so_far = self.context.new_variable(result.name, declared, result.at)
                typed = as_expected_collection(
                    self.context.check(body, scope.with_variable(variable).with_variable(so_far)), declared
                )
                if not types.conforms(typed.type, declared):
                    raise self.context.wrong_type(body, f"{result.name} is {declared}, and this is {typed.type}.")
                return Fold(node.at, declared, source, variable, so_far, first, typed)
        raise self.context.wrong_type(node, "It is written as Collection(T)->iterate(element; result : U = first | …).")

    # Methods that may run, types

    def may_run(self, node: tree.MayRun, scope: VariableScope) -> TypedNode:
        """`self.Method?`; after the name of a type, that type."""
        found = self._asked_method(node.operand, scope)
        if found is not None:
            return MayRunMethod(node.at, types.BOOLEAN, *found)
        if isinstance(node.operand, tree.Name):
            kind = self.type_named(node.operand)
            if kind is not None:
                return kind
        raise self.context.wrong_type(node, "? asks whether a method may run now: self.Method?")

    def _asked_method(self, asked: Node, scope: VariableScope) -> tuple[TypedNode, ModelMethod] | None:
        match asked:
            case tree.Name(name=name):
                sources: Iterable[TypedNode] = [self._used(variable, asked.at) for variable in scope.implicit]
            case tree.Dot(source=tree.Node() as source, name=name, arguments=None):
                sources = [self.context.check(source, scope)]
            case _:
                return None
        for typed in sources:
            if isinstance(typed.type, ObjectType):
                method = self.names.find_method(typed.type.cls, name)
                if method is not None:
                    return typed, method
        return None

    def declared(self, name: TypeName) -> Type:
        """The type that a declaration names."""
        kind = types.COLLECTION_KINDS.get(name.name.lower())
        if kind is not None:
            return CollectionType(kind, types.ANY if name.element is None else self.declared(name.element))
        found = self._kind(name.name)
        if found is None:
            known = [
                *self.names.classes,
                *(one.name for one in set(types.BASIC_TYPES.values())),
                *types.COLLECTION_KINDS.values(),
            ]
            self.context.raise_unknown(name.at.start, name.name, f"There is no type {name.name}.", known)
        return found

    # Suggestions

    def known(self, kind: Type) -> list[str]:
        """The names that may follow a value of a type."""
        match kind:
            case ObjectType(cls=cls):
                return [*self.names.members(cls), *self.names.methods(cls), *self._operators()]
            case CollectionType(element=element):
                return self.known(element)
            case TupleType(parts=parts):
                return [name for name, _ in parts]
            case ViewModelsOf(cls=cls):
                return list(self.names.view_models(cls))
            case TypeOf(of=EnumType(cls=enumeration)):
                return list(enumeration.__members__)
        return self._operators()

    def _operators(self) -> list[str]:
        return [operators[0].name for operators in self.calls.table.values()]


def member_access(source: TypedNode, member: Member, at: TextRange) -> TypedNode:
    """A member of an object."""
    if isinstance(member, AttributeMember):
        return AttributeRead(at, member.type, source, member)
    return Navigation(at, member.type, source, member)
