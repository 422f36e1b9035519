"""Tests are documentation: each file is about one thing, and what several of them need is not in one of them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

MAX_LINES = 400

LONG: set[str] = {
    "compat/test_private_apis.py",
}
"""Files that are longer, as long as they are. Split them; add none."""

PRIVATE: set[str] = {
    "conftest.py",
    "derived/test_stale_tables.py",
    "server/test_health.py",
    "server/test_history.py",
    "server/test_rates.py",
    "server/test_routing.py",
    "server/test_scheduler.py",
    "store/test_gauge_plans.py",
    "store/test_history_plans.py",
}
"""Files that reach into private attributes of an object. Give the product what they need; add none."""

ANOTHER_TEST = re.compile(r"^\s*(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
PRIVATE_ATTRIBUTE = re.compile(r"(?<!\bself)(?<!\bcls)(?<=[\w\])])\._[a-z]\w*")
OF_LIBRARIES = {"_asdict", "_fields", "_mapping", "_replace", "_exit", "_clone", "_copy", "_limit_clause"}
"""Attributes of named tuples, of `os` and of SQLAlchemy, which those have no public name for."""


def named(files: list[Path]) -> set[str]:
    return {str(file.relative_to(ROOT)) for file in files}


def private(file: Path) -> set[str]:
    """Return the private attributes that a file uses of objects other than its own."""
    return {name.removeprefix(".") for name in PRIVATE_ATTRIBUTE.findall(file.read_text())} - OF_LIBRARIES


def test_no_test_imports_another_test() -> None:
    assert named([file for file in FILES if ANOTHER_TEST.search(file.read_text())]) == set()


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    assert named([file for file in FILES if len(file.read_text().splitlines()) > MAX_LINES]) <= LONG


def test_no_test_reaches_into_private_attributes() -> None:
    assert named([file for file in FILES if private(file)]) <= PRIVATE
