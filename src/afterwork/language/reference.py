"""Renews the operators in the reference: `python -m afterwork.language.reference docs/reference/language.md`."""

import sys
from pathlib import Path

from afterwork.language.check.context import OMITTED
from afterwork.language.operators.table import CHAPTERS
from afterwork.language.typed.operator import Operator

BEGIN, END = "<!-- operators -->", "<!-- end of operators -->"


def operators() -> str:
    """Return all operators as Markdown, chapter by chapter, and what the original has besides."""
    chapters = (
        f"### {title}\n\n" + "\n".join(_entry(operator) for operator in operators)
        for title, operators in CHAPTERS.items()
    )
    omitted = "### Not here\n\n" + "\n".join(f"- `{name}`<br>{text}" for name, text in OMITTED.items())
    return "\n\n".join([*chapters, omitted])


def _entry(operator: Operator) -> str:
    expression, result = operator.example
    marks = " · SQL" * (operator.sql is not None) + " · changes the model" * operator.effects
    return f"- `{operator.text}`{marks}<br>{operator.doc} `{expression}` = `{result}`"


def renewed(page: str) -> str:
    """Return a page with the current operators."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{operators()}\n\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
