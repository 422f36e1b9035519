"""Checks that what a page tells people to type in a shell can be typed."""

import shlex

import click

from afterwork.cli import main
from tests.documentation.blocks import ROOT, Block

A_DATABASE = "sqlite:///shop.db"

STANDS_FOR = {"URL": A_DATABASE, "MODULE:APP": "examples.shop:app", "shop:app": "examples.shop:app"}
"""Words of pages that stand for something of the reader's, each with such a thing."""

PROGRAMS = {"alembic", "cat", "curl", "journalctl", "ls", "pip", "python3", "systemctl"}
"""Programs of others that pages tell people to run."""


def are_commands(block: Block) -> None:
    """Each line can be typed: the program is there, and takes these words."""
    for line in block.text.splitlines():
        words = [word for word in shlex.split(line, comments=True) if not is_setting(word)]
        if words:
            check_command(block, words)


def is_setting(word: str) -> bool:
    """Whether a word sets a variable: `DATABASE_URL=…`."""
    return word.partition("=")[0].isupper() and "=" in word


def check_command(block: Block, words: list[str]) -> None:
    program, *arguments = words
    match program.rpartition("/")[2]:
        case "afterwork":
            check_afterwork(block, arguments)
        case "make":
            targets = [word for word in arguments if not is_setting(word)]
            known = (ROOT / "Makefile").read_text()
            assert all(f"\n{target}:" in known for target in targets), f"{block}: make {targets}"
        case "python" | "python3" if arguments[0].endswith(".py"):
            # What a page has its readers save stands in the page itself.
            own = arguments[0] in (ROOT / block.page).read_text().replace(f"python {arguments[0]}", "")
            assert own or (ROOT / arguments[0]).exists(), f"{block}: there is no {arguments[0]}"
        case name:
            assert name in PROGRAMS | {"python"}, f"{block}: what is {name}?"


def check_afterwork(block: Block, arguments: list[str]) -> None:
    """The command and its options are there, with as many arguments as it takes."""
    if arguments == ["--help"]:
        return
    verb, *words = arguments[: arguments.index(">")] if ">" in arguments else arguments
    assert verb in main.commands, f"{block}: afterwork {verb}"
    given = [STANDS_FOR.get(word, A_DATABASE if word.endswith("//…") else word) for word in words]
    try:
        main.commands[verb].make_context(verb, given, parent=click.Context(main))
    except click.UsageError as error:
        raise AssertionError(f"{block}: {error.message}") from error
