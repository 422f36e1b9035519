"""The SQL of operators of any value."""

from sqlalchemy import case, not_

from afterwork.language.sql import columns
from afterwork.language.sql.rowset import Column, Term
from afterwork.language.sql.single_values import is_missing_in
from afterwork.language.sql.translator import Translator
from afterwork.language.typed import types
from afterwork.language.typed.nodes import OperatorCall


def _boolean(condition: Column) -> Term:
    return Term(condition, types.BOOLEAN, False)


def is_null(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(is_missing_in(translator, call.arguments[0]))


def not_null(translator: Translator, call: OperatorCall) -> Term:
    return _boolean(not_(is_missing_in(translator, call.arguments[0])))


def is_null_or_empty(translator: Translator, call: OperatorCall) -> Term:
    value = call.arguments[0]
    if value.type == types.STRING:
        return _boolean(columns.null_or_empty(translator.column(value)))
    if value.type == types.ANY:
        translator.refuse(value, "it may be a text, a collection or anything else")
    return _boolean(is_missing_in(translator, value))


def when_true(translator: Translator, call: OperatorCall) -> Term:
    condition, value = call.arguments
    return Term(case((translator.condition(condition), translator.column(value)), else_=None), call.type)


def case_true_false(translator: Translator, call: OperatorCall) -> Term:
    return translator.conditional(call, *call.arguments)
