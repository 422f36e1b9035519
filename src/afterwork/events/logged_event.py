"""Events that are written to the log, each with its own words."""

from collections.abc import Mapping
from typing import ClassVar

from afterwork.printable import printable


class LoggedEvent:
    """An event with a level and a message for the log. `%(name)s` in the message stands for a value of `words`."""

    level: ClassVar[int]
    message: ClassVar[str]

    def words(self) -> Mapping[str, object]:
        """Return the values for the message by name: the fields of the event, and the `kind` of its exception."""
        return {**vars(self), "kind": type(self.exception()).__name__}

    def printable_words(self) -> Mapping[str, object]:
        """Return the values for the message. Texts are printable, whoever formats the line: they may be data."""
        return {name: _printable(value) for name, value in self.words().items()}

    def exception(self) -> BaseException | None:
        """Return the exception whose traceback the log shows, if any."""
        error = vars(self).get("error")
        return error if isinstance(error, BaseException) else None


def _printable(value: object) -> object:
    return printable(str(value)) if isinstance(value, str | BaseException) else value
