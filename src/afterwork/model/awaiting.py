"""Where a session must be awaited: say what to write to those who forget it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import MissingGreenlet, StatementError

from afterwork.errors import NotAwaited


@contextmanager
def asking(call: str) -> Iterator[None]:
    """Raise `NotAwaited` where SQLAlchemy finds that a session must be awaited. `call` is what was called, as text.

    It serves as a decorator, too.
    """
    try:
        yield
    except (MissingGreenlet, StatementError) as error:
        if not isinstance(getattr(error, "orig", error), MissingGreenlet):
            raise
        raise NotAwaited(call) from None
