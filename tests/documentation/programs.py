"""Programs around the pieces of code in a page: what the page leaves out, and what must be so afterwards.

Each page with such pieces has a file in the folder `programs`. A line `<block class Order>` there stands for the page's
block in Python that has a line which begins so. A line `---` begins another program. Each begins with `common.txt`.
"""

import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import afterwork as aw
from tests.documentation.blocks import Block, blocks

FOLDER = Path(__file__).parent / "programs"

PLACE = re.compile(r"^( *)<block (.+)>$", re.MULTILINE)


def program_file(page: str) -> Path:
    return FOLDER / f"{page.removesuffix('.md').replace('/', '.')}.txt"


def block_with(page: str, beginning: str) -> Block:
    """The only block in Python of a page that has a line which begins so."""
    found = [
        block
        for block in blocks(page, "python")
        if any(line.strip().startswith(beginning) for line in block.text.splitlines())
    ]
    assert len(found) == 1, f"{page} has {len(found)} blocks with a line that begins with {beginning!r}"
    return found[0]


def used(page: str) -> set[Block]:
    """The blocks that the programs of a page contain."""
    file = program_file(page)
    places = PLACE.findall(file.read_text()) if file.exists() else []
    return {block_with(page, beginning) for _, beginning in places}


def programs(page: str) -> list[str]:
    """The programs of a page, with its blocks still to come."""
    return program_file(page).read_text().split("---\n")


def run(page: str, number: int) -> None:
    """Run a program of a page in the current folder, as a module of its own."""

    def inserted(place: re.Match[str]) -> str:
        return textwrap.indent(block_with(page, place[2]).text.rstrip("\n"), place[1])

    module = ModuleType(f"of_a_page_{number}")
    vars(module)["TOML"] = [block.text for block in blocks(page, "toml")]
    sys.modules[module.__name__] = module
    whole = PLACE.sub(inserted, programs(page)[number])
    try:
        for name, text in (("common", (FOLDER / "common.txt").read_text()), (page, whole)):
            exec(compile(text, f"<program {number} of {name}>", "exec"), vars(module))
    finally:
        del sys.modules[module.__name__]
        _keep_to_itself(module)


def _keep_to_itself(module: ModuleType) -> None:
    """Let view models without a root, which are those of every model, be those of none any more."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, aw.ViewModel) and value.root_class is None:
            value.model = module
