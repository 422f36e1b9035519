"""docs/architecture.md shows the tree as it is: each package, each file that it names, and the ways through them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "afterwork"
PAGE = ROOT / "docs" / "architecture.md"
MAX_FILES = {"The way of a ticket": 15, "The way of a change": 18}


def section(title: str) -> str:
    return PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def packages_of_the_tree() -> list[str]:
    """Return the packages that the page draws, each as its path, read from the indentation."""
    block = re.search(r"```text\n(src/afterwork/.*?)```", section("The tree"), re.DOTALL)
    assert block
    paths: list[str] = []
    parents: list[str] = []
    for line in block.group(1).splitlines()[1:]:
        entry = re.match(r"( *)(\w+)/", line)
        if entry:
            depth = len(entry.group(1)) // 2 - 1
            parents[depth:] = [entry.group(2)]
            paths.append("/".join(parents))
    return paths


def named_files(text: str) -> list[str]:
    return re.findall(r"`([\w/]+\.py)`", text)


def test_the_tree_has_each_package_once() -> None:
    there = [str(init.parent.relative_to(SOURCE)) for init in SOURCE.rglob("__init__.py") if init.parent != SOURCE]

    assert sorted(packages_of_the_tree()) == sorted(there)


def test_each_file_that_is_named_is_there() -> None:
    assert [name for name in named_files(PAGE.read_text()) if not (SOURCE / name).is_file()] == []


@pytest.mark.parametrize("title", MAX_FILES)
def test_a_way_leads_through_few_files(title: str) -> None:
    assert 5 < len(set(named_files(section(title)))) <= MAX_FILES[title]
