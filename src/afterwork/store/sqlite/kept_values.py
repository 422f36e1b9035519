"""Computed values as SQLite keeps them: rounded, of the member's type, and told apart from the stored ones."""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    String,
    and_,
    case,
    collate,
    func,
    literal_column,
    or_,
    type_coerce,
)

DIGITS = 10
"""The digits behind the point that SQLAlchemy reads of a decimal without a scale."""


def as_kept(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
    """Return a value as it would be stored if Python had read it: decimals are rounded twice, halves away from
    zero."""
    return rounded_again(rounded(value, member), member)


def rounded(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
    """Return a value after the first of the two roundings, if it is a decimal."""
    return func.round(value, DIGITS) if _is_decimal(member) else value


def rounded_again(digits: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
    """Return a value after the second rounding. `digits` is used several times, so it should be no function call."""
    scale = member.type.scale if isinstance(member.type, Numeric) else None
    if not _is_decimal(member) or scale is None:
        return digits
    # What the first rounding has made a half may lie just below it in binary.
    nudge = case((digits < 0, -1), else_=1) * (1e-11 + func.abs(digits) * 4e-16)
    return func.round(digits + nudge, scale)


def _is_decimal(member: Column[Any]) -> bool:
    kind = member.type
    return isinstance(kind, Numeric) and not isinstance(kind, Float) and kind.asdecimal


def differs(stored: ColumnElement[Any], value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that Python could tell a kept value from the stored one."""
    is_text = isinstance(member.type, String)
    return stored.is_distinct_from(collate(value, "BINARY") if is_text else value)


def fits(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a value is of the member's type: SQLite keeps any value in any column."""
    # The values stand in the statement itself, which is sent straight to the driver.
    names: list[ColumnElement[Any]] = [literal_column(f"'{name}'") for name in _names_of(member)]
    is_of_type: ColumnElement[bool] = func.typeof(value).in_(names)
    if not isinstance(member.type, Boolean):
        return is_of_type
    truths: list[ColumnElement[Any]] = [literal_column("0"), literal_column("1")]
    return and_(is_of_type, or_(value.is_(None), type_coerce(value, Integer).in_(truths)))


def _names_of(member: Column[Any]) -> list[str]:
    nothing = ["null"] if member.nullable else []
    match member.type:
        case Boolean() | Integer():
            return ["integer", *nothing]
        case Numeric() | Float():
            return ["integer", "real", *nothing]
        case _:
            return ["text", *nothing]
