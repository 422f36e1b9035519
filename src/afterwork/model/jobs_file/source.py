"""A file of jobs as it is written, in TOML or YAML, and the lines of its parts."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from afterwork.errors import BadJobsFile

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


BOOLEAN = "tag:yaml.org,2002:bool"


def _yaml(path: Path, text: str) -> Any:
    """As in TOML, only `true` and `false` are Booleans, so that `on` can be a key. A duplicate key is an error."""
    try:
        import yaml
    except ImportError:
        problem = "it is YAML, which needs PyYAML. Try: pip install 'afterwork[yaml]', or write it as TOML"
        raise BadJobsFile(str(path), None, problem) from None
    try:
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise BadJobsFile(str(path), line, f"{error.problem}") from None
    except yaml.YAMLError as error:
        raise BadJobsFile(str(path), None, str(error)) from None


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for index, key in enumerate(keys):
                if key in keys[:index]:
                    mark = node.value[index][0].start_mark
                    raise yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", mark)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != BOOLEAN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(BOOLEAN, re.compile("^(?:true|false)$"), ["t", "f"])
    return Loader


_PARSERS: Mapping[str, Callable[[Path, str], Any]] = {".toml": _toml, ".yaml": _yaml, ".yml": _yaml}
