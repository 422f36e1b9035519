"""Time-outs that works declare."""

from datetime import timedelta

from afterwork.errors import BadDeclaration, shown

NO_TIMEOUT = timedelta.max
"""The time-out of a work that may take as long as it likes, whatever the settings say."""


def checked_timeout(where: str, timeout: object) -> timedelta | None:
    """Return a declared time-out. Raises `BadDeclaration` unless it is None or a duration above zero."""
    if timeout is None or (isinstance(timeout, timedelta) and timeout > timedelta(0)):
        return timeout
    who = f"{where}: its" if where else "its"
    raise BadDeclaration(
        f"{who} timeout is {shown(timeout)}. Give a duration above zero, such as timedelta(minutes=5); None for the "
        "one in Settings, timedelta.max for none at all."
    )
