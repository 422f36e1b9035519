"""Prints what pyproject.toml asks for, one requirement a line, as pip reads it: `python release/requirements.py dev`.

A name of a dependency group prints what is in it, for every pip: those before 25.1 know no groups. `bounds` prints
constraints which allow of each package only its lower bound. It needs nothing but Python, since it comes first on a new
machine.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

NAME = re.compile(r"[\w.-]+")
LOWER_BOUND = re.compile(r">=\s*([\w.]+)")


def group(project: dict[str, Any], name: str) -> Iterator[str]:
    """Yield the requirements of a dependency group, with those of the groups that it includes."""
    for entry in project["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(project, entry["include-group"])


def promised(project: dict[str, Any]) -> Iterator[str]:
    """Yield what users may get: the requirements of the package and its extras, but for extras that it names itself."""
    metadata = project["project"]
    own = re.compile(rf"{metadata['name']}\b")
    for requirements in (metadata["dependencies"], *metadata["optional-dependencies"].values()):
        yield from (requirement for requirement in requirements if not own.match(requirement))


def bounds(project: dict[str, Any]) -> Iterator[str]:
    """Yield the lower bounds as pins, and the usual pins of the tools that the tests need."""
    lower, tools = {}, {name_of(tool) for tool in group(project, "lowest")}
    for requirement in (*promised(project), *group(project, "lowest")):
        if bound := LOWER_BOUND.search(requirement):
            lower[name_of(requirement)] = bound[1]
    yield from (f"{name}=={version}" for name, version in sorted(lower.items()))
    for pin in (ROOT / "constraints.txt").read_text().splitlines():
        if name_of(pin) in tools - set(lower):
            yield pin


def name_of(requirement: str) -> str:
    """Return the name of a package as all write it: in lower case, with hyphens."""
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def main(word: str) -> None:
    """Print the requirements that a word stands for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    print("\n".join(bounds(project) if word == "bounds" else group(project, word)))


if __name__ == "__main__":
    main(sys.argv[1])
