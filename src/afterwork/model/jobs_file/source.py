"""A file of jobs as it is written: TOML or YAML, and on which line what stands."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from afterwork.errors import BadJobsFile
from afterwork.model.jobs_file.yaml import parsed as yaml_parsed

Keys = tuple[str, ...]
"""What leads to a place in a file: `("view_models", "SeeOrders", "when")`."""


@dataclass(frozen=True)
class JobsFileSource:
    """A file that was read."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> "JobsFileSource":
        """Raises `BadJobsFile`."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadJobsFile(str(path), None, f"it can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise BadJobsFile(str(path), None, f"it is no text in UTF-8: {error.reason}") from None

    def content(self) -> Mapping[str, Any]:
        """What it says. Raises `BadJobsFile` for what is no TOML or YAML."""
        parsed = _PARSERS.get(self.path.suffix.lower())
        if parsed is None:
            self.refuse((), f"its name must end with one of {', '.join(_PARSERS)}")
        found = parsed(self.path, self.text)
        if not isinstance(found, dict):
            self.refuse((), "it must be a table of sections")
        return found

    def refuse(self, keys: Keys, problem: str) -> NoReturn:
        """Raise that something is wrong at a place."""
        raise BadJobsFile(str(self.path), self.line(keys), problem)

    def line(self, keys: Keys) -> int | None:
        """The line of a place, from 1: where its keys stand one after the other. None for the whole file."""
        lines, place = self.text.split("\n"), None
        for key in keys:
            place = _first(lines, place or 0, _written_as_key(key), re.compile(re.escape(key)), place)
        return None if place is None else place + 1

    def line_of_text(self, keys: Keys, text: str) -> int:
        """The first line of a text that stands at a place."""
        place = (self.line(keys) or 1) - 1
        first = re.compile(re.escape(text.split("\n", maxsplit=1)[0].strip()))
        found = _first(self.text.split("\n"), place, first, first, place)
        return 1 if found is None else found + 1


def _first(
    lines: Sequence[str], place: int, likely: re.Pattern[str], possible: re.Pattern[str], otherwise: int | None
) -> int | None:
    for pattern in (likely, possible):
        found = next((number for number in range(place, len(lines)) if pattern.search(lines[number])), None)
        if found is not None:
            return found
    return otherwise


def _written_as_key(key: str) -> re.Pattern[str]:
    """A key in a header of TOML, or before what it means; an item of a list by its name."""
    name = rf"[\"']?{re.escape(key)}[\"']?"
    return re.compile(rf"^\s*\[+(.+\.)?\s*{name}\s*[\].]|(^|[{{,\[-])\s*{name}\s*[=:]|name[\"']?\s*[=:]\s*{name}")


def _toml(path: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadJobsFile(str(path), None, str(error)) from None


_PARSERS: Mapping[str, Callable[[Path, str], Any]] = {".toml": _toml, ".yaml": yaml_parsed, ".yml": yaml_parsed}
