"""Expressions as SELECT statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased

from afterwork.errors import NotInSQL
from afterwork.language.check import SELF, Checked
from afterwork.language.run import DEFAULT_BUDGET, Frame, Run, Trouble
from afterwork.language.sql.rowset import Entity, Known, Root, RowSet, Term, keys
from afterwork.language.sql.translator import Found, Translator


def select_of(checked: Checked, values: Mapping[str, Any]) -> Select[Any]:
    """One SELECT of what an expression gives: objects, or values; of a single value, one row.

    `values` are those of the variables, and of `self` where there is one. What time it is is asked for now.
    """
    try:
        return _statement(checked, Translator(checked, _frame(checked, values)))
    except Trouble as trouble:
        start = 0 if trouble.at is None else trouble.at.start
        raise NotInSQL(checked.text, start, str(trouble)) from trouble


def _frame(checked: Checked, values: Mapping[str, Any]) -> Frame:
    frame: Frame = [None] * checked.slots
    frame[0] = Run(checked.names, None, DEFAULT_BUDGET)
    frame[SELF] = values.get("self")
    for name, variable in checked.variables.items():
        frame[variable.slot] = values[name]
    return frame


def _statement(checked: Checked, translator: Translator) -> Select[Any]:
    match translator.found(checked.tree):
        case RowSet() as rows:
            return rows.select(*rows.columns(), inner=False)
        case Entity(alias=alias, picked=RowSet() as rows):
            return rows.select(alias, inner=False).limit(1)
        case Term(column=column):
            return select(column.label("value"))
        case _:
            return translator.refuse(checked.tree, "it names one object that is known")


def values_of(checked: Checked, values: Mapping[str, Any]) -> Select[Any]:
    """The value of an expression for each object of its class: a SELECT of the class's key, and of `value`.

    It is what recalculates many at once: put a condition on the key's columns to have some.
    """
    assert checked.self_type is not None, "an expression without self has no value for each object"
    translator = Translator(checked, _frame(checked, values))
    alias = aliased(checked.self_type.cls)  # type: ignore[attr-defined]
    root = Root.of(alias)
    itself = Entity(alias, checked.self_type.cls, root)  # type: ignore[attr-defined]
    translator.within(SELF, itself)
    try:
        term = _single(checked, translator, translator.found(checked.tree))
    except Trouble as trouble:
        start = 0 if trouble.at is None else trouble.at.start
        raise NotInSQL(checked.text, start, str(trouble)) from trouble
    return RowSet(itself, [root], "Set").select(*keys(alias, itself.cls), term.column.label("value"), inner=False)


def _single(checked: Checked, translator: Translator, found: Found) -> Term:
    match found:
        case Term():
            return found
        case Entity(alias=alias, cls=cls):
            key, *others = keys(alias, cls)
            if not others:
                return Term(found.column(key), checked.tree.type)
        case Known() | RowSet():
            pass
    return translator.refuse(checked.tree, "it is no single value for each object")
