"""The code reads well: names say what they hold, and docstrings begin with a short sentence that is no question."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE, HELPERS = ROOT / "src" / "afterwork", ROOT / "tests" / "support"

MEANINGLESS = {"found", "one", "some", "there", "these"}
"""Names that fit everything, and so say nothing."""

QUESTIONS = ("What ", "Whether ", "How ")

MAX_WORDS = 20
"""Words of a docstring's first sentence."""


def modules(*folders: Path) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the variables, fields and parameters of a module, each with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a module, those of constants and fields included, each with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def first_sentence(text: str) -> str:
    words = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.:!?])\s", words)[0]


def test_names_say_what_they_hold() -> None:
    meaningless = [
        f"{path}:{line} {name}"
        for path, tree in modules(SOURCE, HELPERS)
        for line, name in names(tree)
        if name in MEANINGLESS
    ]

    assert meaningless == []


def test_docstrings_begin_with_no_question() -> None:
    questions = [
        f"{path}:{line}"
        for path, tree in modules(SOURCE)
        for line, text in docstrings(tree)
        if text.startswith(QUESTIONS)
    ]

    assert questions == []


def test_docstrings_begin_with_a_short_sentence() -> None:
    sentences = [
        (f"{path}:{line}", first_sentence(text)) for path, tree in modules(SOURCE) for line, text in docstrings(tree)
    ]

    assert [(place, sentence) for place, sentence in sentences if len(sentence.split()) > MAX_WORDS] == []
