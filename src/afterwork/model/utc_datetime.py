"""Timestamps in columns: aware datetimes in UTC, on every database."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from afterwork.errors import BadRequest, NaiveDatetime, shown


def aware(timestamp: datetime, argument: str = "") -> datetime:
    """Return a timestamp in UTC. Raises `NaiveDatetime` if it has no time zone, `BadRequest` if it is no datetime.

    `argument` is what the error begins with, such as `at=`.
    """
    if not isinstance(timestamp, datetime):
        raise BadRequest(f"{argument}{shown(timestamp)} is no datetime. Give a timestamp: now + timedelta(hours=1).")
    if timestamp.tzinfo is None:
        raise NaiveDatetime(timestamp)
    return timestamp.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A column of timestamps. Takes aware datetimes only and gives them back in UTC.

    `timestamptz` on PostgreSQL; on SQLite a text that sorts as the timestamps do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        timestamp = aware(value)
        return timestamp.replace(tzinfo=None) if dialect.name == "sqlite" else timestamp

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
