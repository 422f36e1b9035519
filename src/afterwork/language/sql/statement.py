"""Expressions as SELECT statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from afterwork.errors import NotInSQL
from afterwork.language.run.evaluation import DEFAULT_BUDGET, Evaluation, LocatedError, Untranslatable, VariableFrame
from afterwork.language.sql.node_translator import NodeTranslator
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, RowSource, Term, keys
from afterwork.language.sql.translator import Translated, Translator
from afterwork.language.typed.nodes import SELF_SLOT, TypedExpression, TypedNode


def select_of(expression: TypedExpression, values: Mapping[str, Any]) -> Select[Any]:
    """Return one SELECT of the objects or values of an expression; of a single value, one row.

    `values` are those of the variables, and of `self` where there is one. The clock is asked now.
    """
    try:
        return statement_of(expression.tree, _frame(expression, values))
    except LocatedError as error:
        raise not_in_sql(expression.text, error) from error


def not_in_sql(text: str, error: LocatedError) -> NotInSQL:
    """Return the error that a part of a text can't become SQL."""
    start, end = (0, None) if error.at is None else (error.at.start, error.at.end)
    if not isinstance(error, Untranslatable):
        return NotInSQL(text, start, str(error))
    part = text[start:end]
    return NotInSQL(text, start, f"{part if len(part) < 80 else 'This'} can't become SQL: {error}.", end=end)


def _frame(expression: TypedExpression, values: Mapping[str, Any]) -> VariableFrame:
    frame: VariableFrame = [None] * expression.slots
    frame[0] = Evaluation(expression.names, None, DEFAULT_BUDGET)
    frame[SELF_SLOT] = values.get("self")
    for name, variable in expression.variables.items():
        frame[variable.slot] = values[name]
    return frame


def statement_of(
    tree: TypedNode, frame: VariableFrame, limit: int | None = None, offset: int | None = None
) -> Select[Any]:
    """Return one SELECT of a tree, with known values from a frame; for collections, with limit and offset.

    Raises `LocatedError`.
    """
    translator = NodeTranslator(frame)
    match translator.translated(tree):
        case RowSet() as rows:
            return _section(translator, tree, rows, limit, offset)
        case Entity(alias=alias, picked=RowSet() as rows):
            return rows.select(alias, inner=False).limit(1)
        case Term(column=column):
            return select(column.label("value"))
        case _:
            return translator.refuse(tree, "it names one object that is known")


def _section(
    translator: Translator, tree: TypedNode, rows: RowSet, limit: int | None, offset: int | None
) -> Select[Any]:
    statement = rows.select(*rows.columns(), inner=False)
    if limit is None and offset is None:
        return statement
    if rows.limited:
        translator.refuse(tree, "it is a section already")
    return statement.limit(limit).offset(offset)


def values_of(expression: TypedExpression, values: Mapping[str, Any]) -> Select[Any]:
    """Return a SELECT of each object's key and, as `value`, the value of an expression.

    It computes many values at once: put a condition on the columns of the key to select some.
    """
    assert expression.self_type is not None, "an expression without self has no value for each object"
    translator = NodeTranslator(_frame(expression, values))
    alias: Any = aliased(expression.self_type.cls)
    source = RowSource.of(alias)
    itself = Entity(alias, expression.self_type.cls, source)
    translator.bind(SELF_SLOT, itself)
    try:
        term = _single(expression, translator, translator.translated(expression.tree))
    except LocatedError as error:
        raise not_in_sql(expression.text, error) from error
    return RowSet(itself, [source], "Set").select(*keys(alias, itself.cls), term.column.label("value"), inner=False)


def _single(expression: TypedExpression, translator: Translator, translated: Translated) -> Term:
    match translated:
        case Term():
            return translated
        case Entity(alias=alias, cls=cls):
            key, *further_keys = keys(alias, cls)
            if not further_keys:
                return Term(translated.column(key), expression.tree.type)
        case KnownObject() | RowSet():
            pass
    return translator.refuse(expression.tree, "it is no single value for each object")
