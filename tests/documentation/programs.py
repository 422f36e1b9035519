"""Programs around the pieces of code in a page: what the page leaves out, and what must be so afterwards.

Each page with such pieces has a file in the folder `programs`. A line `<block 2>` there stands for the second block in
Python of the page. A line `---` begins another program. Each begins with `common.txt`.
"""

import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType

from tests.documentation.blocks import blocks

FOLDER = Path(__file__).parent / "programs"

PLACE = re.compile(r"^( *)<block (\d+)>$", re.MULTILINE)


def program_file(page: str) -> Path:
    return FOLDER / f"{page.removesuffix('.md').replace('/', '.')}.txt"


def used(page: str) -> set[int]:
    """The numbers of the blocks that the programs of a page contain, from 1."""
    file = program_file(page)
    return {int(number) for _, number in PLACE.findall(file.read_text())} if file.exists() else set()


def programs(page: str) -> list[str]:
    """The programs of a page, with its blocks in their places."""
    parts = program_file(page).read_text().split("---\n")
    code = [block.text for block in blocks(page, "python")]

    def inserted(place: re.Match[str]) -> str:
        return textwrap.indent(code[int(place[2]) - 1].rstrip("\n"), place[1])

    return [PLACE.sub(inserted, part) for part in parts]


def run(page: str, number: int) -> None:
    """Run a program of a page in the current folder, as a module of its own."""
    module = ModuleType(f"of_a_page_{number}")
    vars(module)["TOML"] = [block.text for block in blocks(page, "toml")]
    sys.modules[module.__name__] = module
    try:
        for name, text in (("common", (FOLDER / "common.txt").read_text()), (page, programs(page)[number])):
            exec(compile(text, f"<program {number} of {name}>", "exec"), vars(module))
    finally:
        del sys.modules[module.__name__]
