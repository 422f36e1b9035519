"""Finds what names mean: variables, members, methods, operators and types."""

from collections.abc import Iterable
from typing import NoReturn

from afterwork.language.check.call_resolver import CallResolver
from afterwork.language.check.context import ExpressionContext, NameUse, VariableScope
from afterwork.language.check.method_call import method_call
from afterwork.language.check.type_patterns import as_expected_collection, set_of_itself
from afterwork.language.syntax import tree
from afterwork.language.syntax.spelling import folded
from afterwork.language.syntax.tree import Node, TextRange, TypeName
from afterwork.language.typed import nodes, types
from afterwork.language.typed.members import AttributeMember, Member
from afterwork.language.typed.methods import ModelMethod
from afterwork.language.typed.nodes import TypedConstant, TypedNode, VariableRead
from afterwork.language.typed.types import (
    CollectionType,
    EnumType,
    ObjectType,
    TupleType,
    Type,
    TypeOf,
    ViewModelsOf,
)


class NameResolver:
    """Finds what the names of one text mean."""

    def __init__(self, context: ExpressionContext, calls: CallResolver) -> None:
        self.context = context
        self.names = context.names
        self.calls = calls

    # Words on their own

    def word(self, node: tree.Name, scope: VariableScope) -> TypedNode:
        """Resolve a word. An exact name goes first: in an Order, `Customer` is the class and `customer` the member."""
        name, at = node.name, node.at
        if name in scope.variables:
            return _read(scope.variables[name], at)
        type_, exact = self._type_of_name(name), self._has_exact_member(name, scope)
        if type_ is not None and str(type_) == name and not exact:
            return _type_constant(type_, at)
        variable = scope.find_variable(name)
        if variable is not None and not exact:
            return _read(variable, at)
        member = self._of_implicit(NameUse(name, None, scope, at))
        if member is not None:
            return member
        return self._raise_no_word(node, scope) if type_ is None else _type_constant(type_, at)

    def _has_exact_member(self, name: str, scope: VariableScope) -> bool:
        return any(
            isinstance(variable.type, ObjectType) and name in self.names.members(variable.type.cls)
            for variable in scope.implicit
        )

    def _of_implicit(self, use: NameUse) -> TypedNode | None:
        """Return what a name means after one of the variables that need no dot."""
        accesses = (self.access(_read(variable, use.at), use) for variable in use.scope.implicit)
        return next((access for access in accesses if access is not None), None)

    def _type_of_name(self, name: str) -> Type | None:
        cls = self.names.find_class(name)
        if cls is not None:
            return ObjectType(cls)
        return types.BASIC_TYPES.get(name.lower()) or self.names.find_enumeration(name)

    def type_named(self, node: Node) -> TypedConstant | None:
        """Return the type that a word names, whatever else has the name; None if there is none."""
        match node:
            case tree.MayRun(operand=tree.Name() as operand):
                return self.type_named(operand)
            case tree.Name(name=name, at=at):
                type_ = self._type_of_name(name)
                return None if type_ is None else _type_constant(type_, at)
        return None

    def as_type(self, typed: TypedNode, node: Node) -> TypedNode:
        """Return the type that a word names where a type is expected; any other node as it is."""
        return typed if isinstance(typed.type, TypeOf) else self.type_named(node) or typed

    def path_name(self, node: tree.PathName, scope: VariableScope) -> TypedNode:
        """Return a member or an operator of a type: `Kind::Large`. Before `::`, a word can be nothing else."""
        type_ = self.type_named(node.source)
        if type_ is None:
            known = [*self.names.classes, *map(str, self.names.enumerations)]
            name = self.context.text[node.source.at.start : node.source.at.end]
            self.context.raise_unknown(node.source.at.start, name, f"There is no type {name}.", known)
        access = self.access(type_, NameUse(node.name, node.arguments, scope, node.at))
        return self._raise_no_member(node, type_.type) if access is None else access

    # After a dot or an arrow

    def dot(self, node: tree.Dot, scope: VariableScope) -> TypedNode:
        """Return a member, a method or an operator of the source; without a source, of self or of the element."""
        use = NameUse(node.name, node.arguments, scope, node.at)
        if node.source is None:
            return self._of_implicit(use) or self._raise_no_operator(node, scope)
        source = self.context.check(node.source, scope)
        access = self.access(source, use) or self._access_of_type(node.source, use)
        return self._raise_no_member(node, source.type) if access is None else access

    def arrow(self, node: tree.Arrow, scope: VariableScope) -> TypedNode:
        """Return an operator of a collection; any other source becomes a Set of itself."""
        source = self.context.check(node.source, scope)
        if folded(node.name) == "iterate":
            return self._fold(node, source, scope)
        use = NameUse(node.name, node.arguments, scope, node.at)
        access = self.calls.find(source, "->", use)
        if access is None and isinstance(source.type, ObjectType) and node.arguments is None:
            access = self.access(source, use)
        access = access or self._access_of_type(node.source, use)
        if access is None:
            problem = f"{source.type} has no operator {node.name}."
            self.context.raise_unknown(node.source.at.end, node.name, problem, self._operator_names())
        return access

    def _access_of_type(self, source: Node, use: NameUse) -> TypedNode | None:
        """Return what the name means if the source is taken for a type that it names."""
        type_ = self.type_named(source)
        return None if type_ is None else self.access(type_, use)

    def access(self, source: TypedNode, use: NameUse) -> TypedNode | None:
        """Return what a name means after a source and a dot; None if it means nothing there."""
        if use.arguments is None:
            member = self._member(source, use.name, use.at)
            if member is not None:
                return member
        return self._method(source, use) or self.calls.find(source, ".", use)

    def _member(self, source: TypedNode, name: str, at: TextRange) -> TypedNode | None:
        match source.type:
            case ObjectType(cls=cls):
                member = self.names.find_member(cls, name)
                return None if member is None else _member_access(source, member, at)
            case TupleType(parts=parts):
                indexes = [index for index, (part, _) in enumerate(parts) if folded(part) == folded(name)]
                return nodes.TuplePart(at, parts[indexes[0]][1], source, indexes[0]) if indexes else None
            case CollectionType(element=ObjectType() | TupleType() as element):
                variable = self.context.new_variable("", element, source.at)
                body = self._member(variable, name, at)
                return None if body is None else self.calls.collected(source, variable, body, at)
            case TypeOf(of=of):
                return _member_of_type(of, name, at)
            case ViewModelsOf(cls=cls):
                view_model = self.names.find_view_model(cls, name)
                return None if view_model is None else TypedConstant(at, types.STRING, view_model)
        return None

    def _method(self, source: TypedNode, use: NameUse) -> TypedNode | None:
        match source.type:
            case ObjectType(cls=cls) | TypeOf(of=ObjectType(cls=cls)):
                method = self.names.find_method(cls, use.name)
                return None if method is None else method_call(self.context, source, method, use)
            case CollectionType(element=ObjectType() as element):
                variable = self.context.new_variable("", element, source.at)
                body = self._method(variable, use)
                return None if body is None else self.calls.collected(source, variable, body, use.at)
        return None

    def _fold(self, node: tree.Arrow, source: TypedNode, scope: VariableScope) -> TypedNode:
        source = source if isinstance(source.type, CollectionType) else set_of_itself(source)
        match source.type, node.arguments:
            case CollectionType(element=type_), (
                tree.Lambda(parameters=(element, tree.Parameter(value=tree.Node() as start) as result), body=body),
            ):
                first = self.context.check_labels_as_text(start, scope)
                declared = first.type if result.declared is None else self.declared(result.declared)
                item = self.context.new_variable(element.name, type_, element.at)
                so_far = self.context.new_variable(result.name, declared, result.at)
                inner = scope.with_variable(item).with_variable(so_far)
                typed = as_expected_collection(self.context.check(body, inner), declared)
                if not types.conforms(typed.type, declared):
                    raise self.context.wrong_type(body, f"{result.name} is {declared}, and this is {typed.type}.")
                return nodes.Fold(
                    node.at, declared, source, item, so_far, as_expected_collection(first, declared), typed
                )
        problem = "It is written as Collection(T)->iterate(element; result : U = first | …)."
        raise self.context.wrong_type(node, problem)

    # Methods that may run, types

    def may_run(self, node: tree.MayRun, scope: VariableScope) -> TypedNode:
        """Return the question `self.Method?`; after the name of a type, that type."""
        asked = self._method_asked_for(node.operand, scope)
        if asked is not None:
            return nodes.MayRunMethod(node.at, types.BOOLEAN, *asked)
        type_ = self.type_named(node.operand) if isinstance(node.operand, tree.Name) else None
        if type_ is None:
            raise self.context.wrong_type(node, "? asks whether a method may run now: self.Method?")
        return type_

    def _method_asked_for(self, operand: Node, scope: VariableScope) -> tuple[TypedNode, ModelMethod] | None:
        match operand:
            case tree.Name(name=name):
                sources: Iterable[TypedNode] = [_read(variable, operand.at) for variable in scope.implicit]
            case tree.Dot(source=tree.Node() as source, name=name, arguments=None):
                sources = [self.context.check(source, scope)]
            case _:
                return None
        for typed in sources:
            if isinstance(typed.type, ObjectType):
                method = self.names.find_method(typed.type.cls, name)
                if method is not None and not method.static:
                    return typed, method
        return None

    def declared(self, name: TypeName) -> Type:
        """Return the type that a declaration names. Raises `UnknownName`."""
        collection = types.COLLECTION_KINDS.get(name.name.lower())
        if collection is not None:
            return CollectionType(collection, types.ANY if name.element is None else self.declared(name.element))
        type_ = self._type_of_name(name.name)
        if type_ is None:
            basic = (basic_type.name for basic_type in set(types.BASIC_TYPES.values()))
            known = [*self.names.classes, *basic, *types.COLLECTION_KINDS.values()]
            self.context.raise_unknown(name.at.start, name.name, f"There is no type {name.name}.", known)
        return type_

    # Errors with suggestions

    def _raise_no_word(self, node: tree.Name, scope: VariableScope) -> NoReturn:
        implicit = [name for variable in scope.implicit for name in self._known_after(variable.type)]
        known = [*scope.variables, *self.names.classes, *implicit]
        self.context.raise_unknown(node.at.start, node.name, f"There is no {node.name} here.", known)

    def _raise_no_operator(self, node: tree.Dot, scope: VariableScope) -> NoReturn:
        known = [name for variable in scope.implicit for name in self._known_after(variable.type)]
        self.context.raise_unknown(node.at.start, node.name, f"There is no operator {node.name} here.", known)

    def _raise_no_member(self, node: tree.Dot | tree.PathName, type_: Type) -> NoReturn:
        assert node.source is not None
        problem = f"{type_} has no {node.name}."
        if isinstance(type_, TypeOf) and isinstance(type_.of, ObjectType):
            cls, name = type_.of.cls, node.name
            if self.names.find_member(cls, name) or self.names.find_method(cls, name):
                problem = f"{name} belongs to an object: self.{name}, or {type_.of}.allInstances.{name}"
                self.context.raise_unknown(node.source.at.end, name, problem, ())
        self.context.raise_unknown(node.source.at.end, node.name, problem, self._known_after(type_))

    def _known_after(self, type_: Type) -> list[str]:
        """Return the names that may follow a value of a type."""
        match type_:
            case ObjectType(cls=cls):
                methods = [name for name, method in self.names.methods(cls).items() if not method.static]
                return [*self.names.members(cls), *methods, *self._operator_names()]
            case TypeOf(of=ObjectType(cls=cls)):
                static = [name for name, method in self.names.methods(cls).items() if method.static]
                return [*static, *self._operator_names()]
            case CollectionType(element=element):
                return self._known_after(element)
            case TupleType(parts=parts):
                return [name for name, _ in parts]
            case ViewModelsOf(cls=cls):
                return list(self.names.view_models(cls))
            case TypeOf(of=EnumType(cls=enumeration)):
                return list(enumeration.__members__)
        return self._operator_names()

    def _operator_names(self) -> list[str]:
        return [operators[0].name for operators in self.calls.table.values()]


def _read(variable: VariableRead, at: TextRange) -> VariableRead:
    return VariableRead(at, variable.type, variable.name, variable.slot)


def _type_constant(type_: Type, at: TextRange) -> TypedConstant:
    return TypedConstant(at, TypeOf(type_), type_.cls if isinstance(type_, ObjectType) else type_)


def _member_of_type(of: Type, name: str, at: TextRange) -> TypedNode | None:
    match of:
        case ObjectType(cls=cls) if folded(name) == "viewmodels":
            return TypedConstant(at, ViewModelsOf(cls), None)
        case EnumType(cls=enumeration):
            members = [member for key, member in enumeration.__members__.items() if folded(key) == folded(name)]
            return TypedConstant(at, of, members[0]) if members else None
    return None


def _member_access(source: TypedNode, member: Member, at: TextRange) -> TypedNode:
    if isinstance(member, AttributeMember):
        return nodes.AttributeRead(at, member.type, source, member)
    return nodes.Navigation(at, member.type, source, member)
