"""The SQL of all objects of a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afterwork.language.sql.asking import is_of
from afterwork.language.sql.rowset import Entity, RowSet, all_rows, same_object
from afterwork.language.typed import Call, Constant

if TYPE_CHECKING:
    from afterwork.language.sql.translator import Translator


def all_instances(translator: Translator, call: Call) -> RowSet:
    kind = call.arguments[0]
    if not isinstance(kind, Constant) or not isinstance(kind.value, type):
        translator.refuse(call, "the class must be named")
    return all_rows(kind.value)


def of_kind(translator: Translator, call: Call) -> RowSet:
    """The rows that the narrower class has, too, as objects of the class that they had."""
    source, kind = call.arguments
    rows = translator.unlimited(source)
    if not isinstance(rows.element, Entity) or not isinstance(kind, Constant) or not isinstance(kind.value, type):
        translator.refuse(call, "only objects have classes there")
    narrower = all_rows(kind.value, rows.kind)
    if not issubclass(kind.value, rows.element.cls) or not isinstance(narrower.element, Entity):
        rows.where.append(is_of(rows.element, kind.value))
        return rows
    target = narrower.element
    narrower.where.append(rows.exists(same_object(rows.element, target)))
    narrower.order = None
    return narrower
