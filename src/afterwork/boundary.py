"""The boundary to the application's code: whatever goes wrong beyond it is an `Exception` on this side.

Call code of the application, and save its changes, `with CONTAINED:`. SystemExit, CancelledError
or KeyboardInterrupt would otherwise bypass everything that settles a failed run, and end the thread that serves others.
"""

from types import TracebackType

from afterwork.errors import Escaped
from afterwork.interruption import ends_the_program


def failure_of(error: BaseException) -> Exception:
    """Return an exception as the failure of one run. Raise it if it is meant for the whole program."""
    if isinstance(error, Exception):
        return error
    if ends_the_program(error):
        raise error
    return Escaped(error)


class Contained:
    """A block whose code may raise what it likes: an `Exception` comes out, or the end of the program."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None and not isinstance(error, Exception):
            raise failure_of(error)


CONTAINED = Contained()
