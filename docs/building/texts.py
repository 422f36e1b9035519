"""Docstrings and signatures as Markdown of the site."""

import re
from collections.abc import Iterator, Mapping

Places = Mapping[str, str]
"""The names that the site describes, as docstrings write them, each with the name under which it is described."""


def described(kind: str, name: str, signature: str, doc: str, *options: str) -> str:
    """Return the description of a name: its signature, and below it what its docstring says."""
    fence = ":::" if kind == "attribute" else "::::"  # attributes stand within classes
    given = "".join(f":{option}\n" for option in options)
    return f"{fence}{{py:{kind}}} {name}{signature}\n{given}\n{doc}\n{fence}\n"


def linked(doc: str, places: Places) -> str:
    """Return a docstring in which each name that the site describes leads there. What is set in is Python."""
    return "\n\n".join(_example(block) if is_code else _names(block, places) for is_code, block in _blocks(doc))


def _blocks(doc: str) -> Iterator[tuple[bool, str]]:
    """Yield the paragraphs of a docstring, and whether each is code, which goes on over blank lines."""
    code: list[str] = []
    for block in [*doc.split("\n\n"), ""]:
        if block.startswith("    "):
            code.append(block)
            continue
        if code:
            yield True, "\n\n".join(code)
            code.clear()
        if block:
            yield False, block


def _example(block: str) -> str:
    return "```python\n" + re.sub(r"^ {4}", "", block, flags=re.MULTILINE) + "\n```"


def _names(block: str, places: Places) -> str:
    def link(found: re.Match[str]) -> str:
        name = re.sub(r"^@|\(….*\)$", "", found[1])
        return f"{{py:obj}}`{found[1]} <{places[name]}>`" if name in places else found[0]

    return re.sub(r"`([^`]+)`", link, block)
