"""The SQL of operators with lambdas: the variable of a lambda stands for the rows."""

from collections.abc import Callable, Sequence

from sqlalchemy import SelectBase, not_
from sqlalchemy.sql.visitors import iterate

from afterwork.language.sql import dialects
from afterwork.language.sql.comparisons import is_missing
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, Term, boolean
from afterwork.language.sql.single_values import refuse_if_several
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import nodes, types
from afterwork.language.typed.nodes import OperatorCall, TypedNode
from afterwork.language.typed.types import CollectionType, EnumType

Direction = Callable[[SqlColumn], SqlColumn]


def select(translator: Translator, call: OperatorCall) -> RowSet:
    rows, condition = _with_condition(translator, call)
    rows.where.append(condition)
    return rows


def reject(translator: Translator, call: OperatorCall) -> RowSet:
    rows, condition = _with_condition(translator, call)
    rows.where.append(not_(condition))
    return rows


def exists(translator: Translator, call: OperatorCall) -> Term:
    rows, condition = _with_condition(translator, call)
    return boolean(rows.exists(condition))


def for_all(translator: Translator, call: OperatorCall) -> Term:
    rows, condition = _with_condition(translator, call)
    return boolean(not_(rows.exists(not_(condition))))


def one(translator: Translator, call: OperatorCall) -> Term:
    rows, condition = _with_condition(translator, call)
    rows.where.append(condition)
    return boolean(rows.count() == 1)


def _with_condition(translator: Translator, call: OperatorCall) -> tuple[RowSet, SqlColumn]:
    rows = translator.unlimited(call.arguments[0])
    return rows, translator.condition(_body(translator, rows, call.arguments[1]))


def _body(translator: Translator, rows: RowSet, each: TypedNode) -> TypedNode:
    assert isinstance(each, nodes.TypedLambda)
    translator.bind(each.variables[0].slot, rows.element)
    return each.body


def _mentions_other_rows(translator: Translator, node: TypedNode, each: TypedNode) -> bool:
    """Return whether an expression about each row mentions rows other than that one."""
    mentioned = {part.slot for part in nodes.walk(node) if isinstance(part, nodes.VariableRead)}
    inside = {variable.slot for part in (each, *nodes.walk(node)) for variable in _introduced_by(part)}
    return any(slot in translator.variables for slot in mentioned - inside)


def _introduced_by(node: TypedNode) -> Sequence[nodes.VariableRead]:
    """Return the variables that a node introduces for its descendants."""
    match node:
        case nodes.TypedLambda(variables=variables):
            return variables
        case nodes.LetBinding(variable=variable):
            return (variable,)
    return ()


def collect(translator: Translator, call: OperatorCall) -> RowSet:
    """Collect values, the objects at an end with one, or, joined, those at an end with many. Nulls are left out."""
    rows = translator.unlimited(call.arguments[0])
    if rows.distinct:
        translator.refuse(call, "nothing can be collected of a Set of values")
    body = _body(translator, rows, call.arguments[1])
    if isinstance(body, nodes.AsSet):  # nulls are left out in any case
        refuse_if_several(translator, body)
        body = body.source
    if translator.is_known(body):
        translator.refuse(body, "it is the same for each row")
    assert isinstance(call.type, CollectionType)
    rows.kind = call.type.kind
    match translator.translated(body):
        case RowSet() as inner:
            return _joined(translator, call, rows, inner)
        case Entity() as entity:
            if entity.picked is not None:
                translator.refuse(body, "one of many is picked for each row")
            if entity.nullable:
                rows.where.append(not_(is_missing(entity)))
            rows.element = Entity(entity.alias, entity.cls, entity.source)
        case Term() as term:
            rows.where.append(term.column.is_not(None))
            rows.element = Term(term.column, term.type, False, term.column_type, term.encoded, term.calculated)
        case KnownObject():
            translator.refuse(body, "it is the same for each row")
    return rows


def _joined(translator: Translator, call: OperatorCall, rows: RowSet, inner: RowSet) -> RowSet:
    """Join inner rows to outer ones, which the conditions of the inner ones mention already."""
    if inner.limited or inner.distinct:
        translator.refuse(call, "it takes a section, or a Set, for each row")
    order = None if rows.order is None or inner.order is None else [*rows.order, *inner.order]
    sources = [source for source in (*rows.sources, *inner.sources) if source.aliases] or rows.sources
    return RowSet(inner.element, sources, rows.kind, [*rows.where, *inner.where], order)


def order_by(translator: Translator, call: OperatorCall) -> RowSet:
    return _sorted(translator, call, lambda column: column.asc().nulls_first())


def order_descending(translator: Translator, call: OperatorCall) -> RowSet:
    return _sorted(translator, call, lambda column: column.desc().nulls_last())


def _sorted(translator: Translator, call: OperatorCall, direction: Direction) -> RowSet:
    rows = translator.unlimited(call.arguments[0])
    if rows.distinct:
        translator.refuse(call, "a Set of values can't be sorted there")
    if not any(source.aliases for source in rows.sources):
        rows.kind = "Sequence"  # of one value of an outer row, by which SQLite could not sort
        return rows
    each = call.arguments[1]
    body = _body(translator, rows, each)
    parts = body.parts if isinstance(body, nodes.TupleConstruction) else (body,)
    by = [direction(_sorting(translator, part, each)) for part in parts]
    rows.order, rows.kind = [*by, *(rows.order or [])], "Sequence"
    return rows


def _sorting(translator: Translator, node: TypedNode, each: TypedNode) -> SqlColumn:
    term = translator.term(node)
    has_select = any(isinstance(part, SelectBase) for part in iterate(term.column))
    if has_select and _mentions_other_rows(translator, node, each):
        # SQLite does not see the columns of an outer row from a SELECT in the ORDER BY of an inner one.
        translator.refuse(node, "it asks, for each row of a list, what belongs to a row outside of it")
    if term.encoded or isinstance(term.type, EnumType):
        translator.refuse(node, "the database holds it in a form of its own, which can only be compared")
    return dialects.by_code_point(term.column) if term.type == types.STRING else term.column
