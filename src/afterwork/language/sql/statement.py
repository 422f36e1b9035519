"""Expressions as SELECT statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from afterwork.errors import NotInSQL
from afterwork.language.run.evaluation import DEFAULT_BUDGET, Evaluation, Frame, LocatedError, Untranslatable
from afterwork.language.sql.node_translator import NodeTranslator
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, RowSource, Term, keys
from afterwork.language.sql.translator import Translated, Translator
from afterwork.language.typed.expression import SELF_SLOT, TypedExpression
from afterwork.language.typed.nodes import TypedNode


def select_of(checked: TypedExpression, values: Mapping[str, Any]) -> Select[Any]:
    """One SELECT of what an expression gives: objects, or values; of a single value, one row.

    `values` are those of the variables, and of `self` where there is one. What time it is is asked for now.
    """
    try:
        return statement_of(checked.tree, _frame(checked, values))
    except LocatedError as trouble:
        raise not_in_sql(checked.text, trouble) from trouble


def not_in_sql(text: str, trouble: LocatedError) -> NotInSQL:
    """Why a text can't become SQL, with the part."""
    start, end = (0, None) if trouble.at is None else (trouble.at.start, trouble.at.end)
    if not isinstance(trouble, Untranslatable):
        return NotInSQL(text, start, str(trouble))
    part = text[start:end]
    return NotInSQL(text, start, f"{part if len(part) < 80 else 'This'} can't become SQL: {trouble}.", end=end)


def _frame(checked: TypedExpression, values: Mapping[str, Any]) -> Frame:
    frame: Frame = [None] * checked.slots
    frame[0] = Evaluation(checked.names, None, DEFAULT_BUDGET)
    frame[SELF_SLOT] = values.get("self")
    for name, variable in checked.variables.items():
        frame[variable.slot] = values[name]
    return frame


def statement_of(tree: TypedNode, frame: Frame, most: int | None = None, after: int | None = None) -> Select[Any]:
    """One SELECT of what a tree gives, where a frame has what is known: of collections at most so many elements, after
    so many. Raises `Trouble`."""
    translator = NodeTranslator(frame)
    match translator.translated(tree):
        case RowSet() as rows:
            return _section(translator, tree, rows, most, after)
        case Entity(alias=alias, picked=RowSet() as rows):
            return rows.select(alias, inner=False).limit(1)
        case Term(column=column):
            return select(column.label("value"))
        case _:
            return translator.refuse(tree, "it names one object that is known")


def _section(translator: Translator, tree: TypedNode, rows: RowSet, most: int | None, after: int | None) -> Select[Any]:
    statement = rows.select(*rows.columns(), inner=False)
    if most is None and after is None:
        return statement
    if rows.limited:
        translator.refuse(tree, "it is a section already")
    return statement.limit(most).offset(after)


def values_of(checked: TypedExpression, values: Mapping[str, Any]) -> Select[Any]:
    """The value of an expression for each object of its class: a SELECT of the class's key, and of `value`.

    It is what recalculates many at once: put a condition on the key's columns to have some.
    """
    assert checked.self_type is not None, "an expression without self has no value for each object"
    translator = NodeTranslator(_frame(checked, values))
    alias = aliased(checked.self_type.cls)  # type: ignore[attr-defined]
    root = RowSource.of(alias)
    itself = Entity(alias, checked.self_type.cls, root)  # type: ignore[attr-defined]
    translator.bind(SELF_SLOT, itself)
    try:
        term = _single(checked, translator, translator.translated(checked.tree))
    except LocatedError as trouble:
        raise not_in_sql(checked.text, trouble) from trouble
    return RowSet(itself, [root], "Set").select(*keys(alias, itself.cls), term.column.label("value"), inner=False)


def _single(checked: TypedExpression, translator: Translator, found: Translated) -> Term:
    match found:
        case Term():
            return found
        case Entity(alias=alias, cls=cls):
            key, *others = keys(alias, cls)
            if not others:
                return Term(found.column(key), checked.tree.type)
        case KnownObject() | RowSet():
            pass
    return translator.refuse(checked.tree, "it is no single value for each object")
