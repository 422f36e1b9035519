"""Clauses that a tracked statement must not have: text, and values that depend on time or chance."""

import re
from typing import Any

from sqlalchemy import BindParameter, Cast, TableSample, TextClause
from sqlalchemy.sql.elements import BinaryExpression, ColumnClause, UnaryExpression
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.selectable import SelectBase, TextualSelect
from sqlalchemy.types import Date, DateTime, Time

from afterwork.compat.sqlalchemy_statements import texts_around
from afterwork.errors import CantTrack, TextualSQL

_CONSTANT = re.compile(r"\*|[\d.]+|'[^']*'|NULL|TRUE|FALSE", re.IGNORECASE)

_HARMLESS_WORDS = re.compile(r"\s*(/\*.*\*/|\w*)\s*", re.DOTALL)
"""A comment, or one word such as ALL, before or after a select."""

_TEXT_IN_OPERATOR = re.compile(r"(?<!OPERATOR)\(|\bSELECT\b|\bCURRENT_|\bLOCALTIME", re.IGNORECASE)
"""The mark of a piece of SQL that is passed off as an operator."""

_BY_TIME = frozenset(
    {
        "now",
        "current_timestamp",
        "current_date",
        "current_time",
        "localtime",
        "localtimestamp",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "timeofday",
        "sysdate",
    }
)
_BY_CHANCE = frozenset(
    {
        "random",
        "random_normal",
        "randomblob",
        "gen_random_uuid",
        "uuid_generate_v1",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
        "nextval",
        "next_value",
    }
)
_OF_A_CONNECTION = frozenset(
    {
        "changes",
        "currval",
        "last_insert_rowid",
        "lastval",
        "pg_backend_pid",
        "pg_current_snapshot",
        "pg_current_xact_id",
        "total_changes",
        "txid_current",
        "txid_current_snapshot",
    }
)
_OF_A_TIMESTAMP = frozenset({"date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"})
_CURRENT_TIME_WORDS = frozenset({"now", "today", "tomorrow", "yesterday"})


def refuse_text(element: Any) -> None:
    """Raise `TextualSQL` for textual SQL."""
    match element:
        case TextClause():
            raise TextualSQL(element.text)
        case TextualSelect():
            raise TextualSQL(str(element.element))
        case ColumnClause() if element.is_literal and not _CONSTANT.fullmatch(element.name):
            raise TextualSQL(element.name)
        case BinaryExpression() | UnaryExpression() if isinstance(element.operator, custom_op):
            if _TEXT_IN_OPERATOR.search(element.operator.opstring):
                raise TextualSQL(element.operator.opstring)
        case SelectBase():
            for around in texts_around(element):
                if not _HARMLESS_WORDS.fullmatch(around):
                    raise TextualSQL(around)


def refuse(element: Any) -> None:
    """Raise `TextualSQL` for textual SQL, `CantTrack` for what depends on time or chance."""
    refuse_text(element)
    match element:
        case TableSample():
            raise _by_chance("TABLESAMPLE")
        case FunctionElement():
            _refuse_function(element)
        case Cast() if isinstance(element.type, Date | DateTime | Time) and _is_current_time(element.clause):
            raise _by_time(str(element))


def _refuse_function(function: FunctionElement[Any]) -> None:
    name = str(getattr(function, "name", "")).lower()
    arguments = list(function.clauses)
    if name in _BY_CHANCE:
        raise _by_chance(f"{name}()")
    if name in _OF_A_CONNECTION:
        raise CantTrack(f"{name}()", "it is another value on each connection, also of what others do there")
    if name in _BY_TIME or (name == "age" and len(arguments) == 1):
        raise _by_time(f"{name}()")
    if name in _OF_A_TIMESTAMP and (
        not arguments or any(map(_is_current_time, arguments)) or (name == "strftime" and len(arguments) == 1)
    ):
        raise _by_time(f"{name}()")


def _is_current_time(argument: Any) -> bool:
    value = argument.effective_value if isinstance(argument, BindParameter) else None
    if isinstance(argument, ColumnClause) and argument.is_literal:
        value = argument.name.strip("'")
    return is_current_time(value)


def is_current_time(value: object) -> bool:
    """Return whether a value is a word that databases take for the current time, or a time near it."""
    return isinstance(value, str) and value.strip().lower() in _CURRENT_TIME_WORDS


def _by_time(what: str) -> CantTrack:
    return CantTrack(what, "it is another value at each moment. Compare with the clock by aw.passed(moment) instead")


def _by_chance(what: str) -> CantTrack:
    return CantTrack(what, "it is another value each time, by chance, so it can't be kept right (as aw.passed(…) can)")
