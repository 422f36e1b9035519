"""Every block of code in the documentation is run, or checked in another way that fits it; the rest is named here."""

import configparser
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from afterwork.language.syntax.parse import parse
from tests.documentation.blocks import PAGES, ROOT, Block, blocks
from tests.documentation.commands import A_DATABASE, are_commands
from tests.documentation.programs import block_with, program_file, programs, run, used

STORY = "docs/tutorial.md"
"""The page whose pieces are one module, which its own scripts import: tests/stories/test_tutorial.py."""

PROJECT = "docs/howto/testing.md"
"""The page whose blocks are the files of projects, whose tests pytest runs: tests/testing/test_plugin.py."""

NOT_RUN = {
    ("docs/howto/coming-from-celery.md", "@celery_app.task"): "needs Celery",
    ("docs/howto/coming-from-django-signals.md", "class SysAsyncTicket"): "needs Django",
    ("docs/howto/coming-from-odoo.md", "self.env.cr.execute"): "runs inside of Odoo",
    ("docs/howto/coming-from-procrastinate.md", "@app.task(name"): "needs Procrastinate",
}
"""Blocks in Python that are only compiled, by page and the beginning of a line, and why."""

NOT_CHECKED = {
    "nginx": "the settings of another program",
    "caddy": "the settings of another program",
    "yaml": "the settings of another program",
    "text": "what something prints, or a diagram",
}
"""Languages of blocks that nothing reads, and why."""

WITH_PROGRAMS = [page for page in PAGES if program_file(page).exists()]


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page in WITH_PROGRAMS for number in range(len(programs(page)))]
)
def test_the_python_of_a_page_does_what_it_should(
    page: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run(page, number)


@pytest.mark.parametrize("page", PAGES)
def test_each_block_of_python_is_part_of_a_program(page: str) -> None:
    excused = {block_with(page, beginning) for of, beginning in NOT_RUN if of == page}
    left = [str(block) for block in blocks(page, "python") if block not in used(page) | excused]
    told = f"Put them into {program_file(page).relative_to(ROOT)}, or say in NOT_RUN why they can't be run."

    assert page in (STORY, PROJECT) or left == [], told


@pytest.mark.parametrize(("page", "beginning"), NOT_RUN)
def test_what_cannot_be_run_is_python_at_least(page: str, beginning: str) -> None:
    compile(block_with(page, beginning).text, page, "exec")


def is_toml(block: Block) -> None:
    tomllib.loads(block.text)


def is_json(block: Block) -> None:
    json.loads(block.text)


def is_ini(block: Block) -> None:
    configparser.ConfigParser().read_string(block.text if "[" in block.text else f"[a]\n{block.text}")


def is_eal(block: Block) -> None:
    for line in block.text.splitlines():
        parse(line)


def elsewhere(block: Block) -> None:
    """Another test reads it."""


CHECKS: Mapping[str, Callable[[Block], None]] = {
    "toml": is_toml,
    "json": is_json,
    "ini": is_ini,
    "eal": is_eal,
    "shell": are_commands,
    "python": elsewhere,  # above
    "python run": elsewhere,  # tests/stories/test_tutorial.py
    "ocl": elsewhere,  # tests/language/test_reference.py
    "sql": elsewhere,  # test_sql.py
}


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_valid_in_its_language(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERWORK_DATABASE", A_DATABASE)  # as those have it who leave the option out

    for block in blocks(page):
        assert block.language in {*CHECKS, *NOT_CHECKED}, f"{block}: nothing checks the language {block.language!r}"
        if block.language in CHECKS:
            CHECKS[block.language](block)
