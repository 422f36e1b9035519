"""Conditions with their type, where SQLAlchemy loses it.

A negated `and_` or `or_` is of no known type: `(~and_(a, b)).type` is a `NullType`. So SQLite's 1 is not read as True.
"""

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.types import NullType


def typed_condition(sql: Any) -> Any:
    """Return an expression, typed as a condition if it is a negation of no known type."""
    if isinstance(sql, UnaryExpression) and sql.operator is operators.inv and isinstance(sql.type, NullType):
        return UnaryExpression(sql.element, operator=operators.inv, type_=Boolean())
    return sql
