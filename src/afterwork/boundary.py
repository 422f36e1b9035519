"""The boundary between the application's code and Afterwork: on this side, whatever went wrong there is an `Exception`.

Whoever calls code of the application, or saves what it has left, does so `with CONTAINED:`. SystemExit, CancelledError
or KeyboardInterrupt would otherwise pass by all that settles a failed run, and end the thread that serves others.
"""

from types import TracebackType

from afterwork.errors import Escaped
from afterwork.interruption import ends_the_program


def failure_of(error: BaseException) -> Exception:
    """Return an exception as the failure of one run. Raises it if it is for the program as a whole."""
    if isinstance(error, Exception):
        return error
    if ends_the_program(error):
        raise error
    return Escaped(error)


class Contained:
    """Within it, code may raise what it likes: what comes out is an `Exception`, or the end of the program."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None and not isinstance(error, Exception):
            raise failure_of(error)


CONTAINED = Contained()
