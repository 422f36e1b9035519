"""Each sentence that docs/caches.md promises has a test, which is named in promises.toml beside this file."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "caches.md"
SECTIONS = ("In sets", "At commit", "What you may count on", "What it does not see")
PROMISES: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "promises.toml").read_text())["promises"]


def sentences(section: str) -> list[str]:
    """The sentences of a section of the page, each on one line, without the marks of lists, and the rows of tables."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    rows = [line.strip("| ") for line in re.findall(r"^\|.*$", text, flags=re.MULTILINE)]
    text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    blocks = re.split(r"\n\s*\n|\n(?=- )", text)
    joined = [" ".join(block.strip().removeprefix("- ").split()) for block in blocks]
    said = [block for block in joined if block and not re.fullmatch(r"\*[^*]+\*", block)]
    in_prose = [sentence for block in said for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z`(])", block)]
    return in_prose + rows[2:]  # without the head


@cache
def names_in(path: Path) -> set[str]:
    """The names of the functions of a file."""
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_sentence_has_a_test(section: str) -> None:
    assert [sentence for sentence in sentences(section) if not PROMISES.get(sentence)] == []


def test_no_promise_is_kept_in_the_list_that_the_page_does_not_make() -> None:
    assert PROMISES.keys() - {sentence for section in SECTIONS for sentence in sentences(section)} == set()


@pytest.mark.parametrize("test", sorted({test for tests in PROMISES.values() for test in tests}))
def test_each_test_that_is_named_is_there(test: str) -> None:
    file, _, name = test.partition("::")

    assert (ROOT / file).is_file()
    assert name.startswith("test_")
    assert name in names_in(ROOT / file)
