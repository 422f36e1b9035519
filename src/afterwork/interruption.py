"""The end of the program, as distinct from exceptions of a job.

A job that raises KeyboardInterrupt or SystemExit has failed, and nothing else has. The same, raised by a signal handler
while a job happens to run in the main thread, is meant for the program. So exceptions of handlers are marked.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MARK = "ends_the_program"
"""The attribute of exceptions that are for the program, whatever code they come through."""

Handler = Callable[[int, FrameType | None], Any]


def ends_the_program(error: BaseException) -> bool:
    """Return whether an exception passes everything that would keep it within one run."""
    return getattr(error, MARK, False) is True


class Interruptions:
    """The exceptions that signal handlers raise while a block lasts."""

    def __init__(self) -> None:
        self._raised: BaseException | None = None

    def check(self) -> None:
        """Raise the exception of a handler, in case a job has swallowed it."""
        if self._raised is not None:
            raise self._raised

    def listening(self, handler: Handler) -> Handler:
        """Wrap a handler so that its exceptions are marked."""

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                setattr(error, MARK, True)
                self._raised = error
                raise

        return handle


@contextmanager
def interruptible() -> Iterator[Interruptions]:
    """Let signals end the program while the block lasts, even inside a job. Only the main thread receives any."""
    interruptions = Interruptions()
    if threading.current_thread() is not threading.main_thread():
        yield interruptions
        return
    installed = {number: signal.getsignal(number) for number in signal.valid_signals()}
    before = {number: handler for number, handler in installed.items() if callable(handler)}
    marked = {number: interruptions.listening(handler) for number, handler in before.items()}
    _handle(marked)
    try:
        yield interruptions
    finally:
        _handle({number: before[number] for number in marked if signal.getsignal(number) is marked[number]})


def _handle(handlers: dict[signal.Signals, Handler]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
