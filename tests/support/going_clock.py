"""A clock that goes, as that of a machine does, and can be advanced."""

import time
from datetime import datetime, timedelta

import afterwork as aw


class GoingClock(aw.ManualClock):
    """For servers that run beside a test: what they put off for a moment would never be due on a clock that stands."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=time.monotonic() - self._began)
