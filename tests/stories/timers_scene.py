"""The tasks of an office that are still to be done, and a timer for them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

import afterwork as aw
from tests.support.office import Office

TEN = timedelta(minutes=10)


def undone(office: Office) -> Any:
    """The tasks that are still to be done, in order."""
    return select(office.task).where(office.task.done == 0).order_by(office.task.id)


def every_ten_minutes(office: Office, **others: Any) -> aw.Every:
    return aw.Every(TEN, criteria=undone(office), **others)
