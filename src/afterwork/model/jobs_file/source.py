"""A file of jobs as it is written, in TOML or YAML, and the lines of its parts."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from afterwork.errors import BadJobsFile
from afterwork.model.jobs_file.yaml import parsed as yaml_parsed

Keys = tuple[str, ...]
"""The path to a part of a file: `("view_models", "SeeOrders", "when")`."""


@dataclass(frozen=True)
class JobsFileSource:
    """A file that was read."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "JobsFileSource":
        """Read a file. Raises `BadJobsFile`."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadJobsFile(str(path), None, f"it can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise BadJobsFile(str(path), None, f"it is no text in UTF-8: {error.reason}") from None

    def content(self) -> Mapping[str, Any]:
        """Return its content, parsed. Raises `BadJobsFile` unless it is TOML or YAML."""
        parsed = _PARSERS.get(self.path.suffix.lower())
        if parsed is None:
            self.refuse((), f"its name must end with one of {', '.join(_PARSERS)}")
        content = parsed(self.path, self.text)
        if not isinstance(content, dict):
            self.refuse((), "it must be a table of sections")
        return content

    def refuse(self, keys: Keys, problem: str) -> NoReturn:
        """Raise `BadJobsFile` for a problem at a path."""
        raise BadJobsFile(str(self.path), self.line(keys), problem)

    def line(self, keys: Keys) -> int | None:
        """Return the line of a path, from 1: its keys are searched one after the other. None for the whole file."""
        lines, index = self.text.split("\n"), None
        for key in keys:
            patterns = _written_as_key(key), re.compile(re.escape(key))
            index = _first(lines, index or 0, patterns, otherwise=index)
        return None if index is None else index + 1

    def line_of_text(self, keys: Keys, text: str) -> int:
        """Return the first line of a text within the part at a path."""
        start = (self.line(keys) or 1) - 1
        pattern = re.compile(re.escape(text.split("\n", maxsplit=1)[0].strip()))
        index = _first(self.text.split("\n"), start, (pattern,), otherwise=start)
        return 1 if index is None else index + 1


def _first(
    lines: Sequence[str], start: int, patterns: Sequence[re.Pattern[str]], *, otherwise: int | None
) -> int | None:
    """Return the index of the first line from `start` that matches the first pattern that any line matches."""
    for pattern in patterns:
        index = next((number for number in range(start, len(lines)) if pattern.search(lines[number])), None)
        if index is not None:
            return index
    return otherwise


def _written_as_key(key: str) -> re.Pattern[str]:
    """Return a pattern for a key: in a TOML header, before its value, or as a list item's name."""
    name = rf"[\"']?{re.escape(key)}[\"']?"
    return re.compile(rf"^\s*\[+(.+\.)?\s*{name}\s*[\].]|(^|[{{,\[-])\s*{name}\s*[=:]|name[\"']?\s*[=:]\s*{name}")


def _toml(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadJobsFile(str(path), None, str(error)) from None


_PARSERS: Mapping[str, Callable[[Path, str], Any]] = {".toml": _toml, ".yaml": yaml_parsed, ".yml": yaml_parsed}
