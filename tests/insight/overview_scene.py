"""Minutes of the run history, as the overview reads them."""

from datetime import UTC, datetime, timedelta

from afterwork.insight.history import RunMinute

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def minute(ago: int, work: str = "Customer.assign_number", done: int = 0, failed: int = 0) -> RunMinute:
    at = NOON.replace(second=0) - timedelta(minutes=ago)
    return RunMinute(at, work, "ticket", done, failed, 0, 0.0, 0.0)
