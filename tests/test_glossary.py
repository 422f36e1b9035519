"""docs/glossary.md and the code have the same words: each package, class and table is there once, under its term."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from afterwork.store.caches import tables as derived_tables
from afterwork.store.journal import tables as journal_tables
from afterwork.store.tables import metadata

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "afterwork"
PAGE = ROOT / "docs" / "glossary.md"
OF_TABLES = (derived_tables, journal_tables)
"""Imported, so that their tables are in the metadata."""

BY_DESIGN = {"errors", "events"}
"""Where classes are no terms: each is a sentence about terms, and stands with all others."""


def rows() -> list[tuple[str, list[str], str]]:
    """Return the terms of the page, each with its names in the code and its meaning."""
    cells = [line.strip().strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    terms = [[cell.strip() for cell in row] for row in cells if len(row) == 3]
    return [
        (term, re.findall(r"`([^`]+)`", names), meaning)
        for term, names, meaning in terms
        if term not in ("term", "---")
    ]


def names_in_the_glossary() -> Counter[str]:
    return Counter(name for _, names, _ in rows() for name in names)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), ast.parse(path.read_text())


def public_classes() -> list[str]:
    return [
        node.name
        for path, tree in modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and path.split("/")[0].removesuffix(".py") not in BY_DESIGN
    ]


def type_names() -> list[str]:
    """Return the names that stand for a type: of classes, and of what an assignment makes one, such as a union."""
    assigned = [
        target.id
        for _, tree in modules()
        for node in tree.body
        if isinstance(node, ast.Assign) and not is_type_variable(node.value)
        for target in node.targets
        if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z][a-z]\w*", target.id)
    ]
    return [*assigned, *public_classes()]


def is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in {"TypeVar", "ParamSpec"}


def packages() -> list[str]:
    return [str(init.parent.relative_to(SOURCE)) + "/" for init in SOURCE.rglob("__init__.py") if init.parent != SOURCE]


def tables() -> list[str]:
    return sorted(metadata.tables)


def test_each_public_class_is_under_one_term() -> None:
    known = names_in_the_glossary()

    assert [name for name in public_classes() if known[name] != 1] == []


def test_each_package_is_under_one_term() -> None:
    known = names_in_the_glossary()

    assert [name for name in packages() if known[name] != 1] == []


def test_each_table_is_under_one_term() -> None:
    known = names_in_the_glossary()

    assert [name for name in tables() if known[name] != 1] == []


def test_the_glossary_names_nothing_that_is_not_there() -> None:
    there = {*public_classes(), *packages(), *tables()}

    assert [name for name in names_in_the_glossary() if name not in there] == []


def test_no_name_of_a_type_means_two_things() -> None:
    assert [name for name, count in Counter(type_names()).items() if count > 1] == []


def test_no_term_is_defined_twice() -> None:
    assert [term for term, count in Counter(term.lower() for term, _, _ in rows()).items() if count > 1] == []


def test_each_term_is_explained_in_one_or_two_sentences() -> None:
    assert [term for term, _, meaning in rows() if not 1 <= len(re.findall(r"[.!?](?= |$)", meaning)) <= 3] == []
