"""Time-outs that works declare."""

from datetime import timedelta

from afterwork.errors import BadDeclaration, shown

NO_TIMEOUT = timedelta.max
"""What a work declares that may take as long as it likes, whatever the settings say."""


def checked_timeout(where: str, timeout: object) -> timedelta | None:
    """Return a declared time-out. Raises `BadDeclaration` for what is none."""
    if timeout is None or (isinstance(timeout, timedelta) and timeout > timedelta(0)):
        return timeout
    who = f"{where}: its" if where else "its"
    raise BadDeclaration(
        f"{who} timeout is {shown(timeout)}. Give a span above zero, such as timedelta(minutes=5); None for the "
        "one in Settings, timedelta.max for none at all."
    )
