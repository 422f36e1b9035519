"""Moments in columns: aware datetimes in UTC, on every database."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.errors import NaiveDatetime


def aware(moment: datetime) -> datetime:
    """A moment in UTC. Raises `NaiveDatetime` if it has no time zone."""
    if moment.tzinfo is None:
        raise NaiveDatetime(moment)
    return moment.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A column of moments. Takes aware datetimes only and gives them back in UTC.

    `timestamptz` on PostgreSQL; on SQLite a text that sorts as the moments do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = aware(value)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
