"""The blocks of code in the pages of the documentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]

PAGES = [
    str(path.relative_to(ROOT))
    for path in (*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md")))
]


@dataclass(frozen=True)
class Block:
    """A block of code: the page and line where it stands, its language, and its text.

    A block that is set in, without a language, is for the shell.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, *languages: str) -> list[Block]:
    """Return the blocks of a page in some languages, in their order; in all of them, if none is named.

    What only says how the site is made up is none of them.
    """
    return [block for block in _all(page) if not languages or block.language in languages]


def _all(page: str) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type == "code_block" and token.map:
            yield Block(page, token.map[0] + 1, "shell", token.content)
        elif token.type == "fence" and token.map and not token.info.startswith("{"):
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content)


WITH_SCRIPTS = [page for page in PAGES if blocks(page, "python run")]
"""Pages with scripts that are run as they stand, one after the other: tests/stories/test_tutorial.py."""
