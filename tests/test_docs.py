"""What the documentation tells people to type is there: commands, options, settings, files, variables."""

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import afterwork as aw
from afterwork.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "UPGRADING.md", "SECURITY.md", "CONTRIBUTING.md")
DOCS = [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
FILES = [*DOCS, *sorted((ROOT / "docs").rglob("*.service")), *sorted((ROOT / "docs").rglob("*.yaml"))]
MANIFESTS = sorted((ROOT / "docs").rglob("*.yaml"))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def code(text: str) -> Iterator[str]:
    """The pieces of code in a page: between backticks, and lines that are set in."""
    yield from re.findall(r"`([^`\n]+)`", text)
    yield from (line for line in text.splitlines() if re.match(r"( {4}|\$ )", line) or "ExecStart=" in line)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command line in a page, the program left out."""
    for piece in code(text):
        for command in re.findall(r"(?<![\w/.@-])(?:[\w./]*/)?afterwork ((?:[a-z]+ ?)[^|#`]*)", piece.split("  #")[0]):
            words = shlex.split(command.replace("…", "").replace("'", "").replace('"', ""))
            if words and words[0] in main.commands:
                yield words


def options(command: click.Command) -> set[str]:
    known = [name for one in command.params for name in (*one.opts, *one.secondary_opts)]
    return {*known, "--help", "-h"}


@pytest.mark.parametrize("name", names(FILES))
def test_each_option_of_a_command_exists(name: str) -> None:
    for verb, *words in commands((ROOT / name).read_text()):
        if verb != "demo":  # it passes its options on
            given = {word.split("=")[0].strip("[].,;:)") for word in words if word.startswith("--")}
            assert given <= options(main.commands[verb]), f"afterwork {verb} {' '.join(words)}"


def test_commands_are_found_in_the_documentation_at_all() -> None:
    told = {words[0] for name in names(DOCS) for words in commands((ROOT / name).read_text())}

    assert {"serve", "install", "check", "status", "retry", "run"} <= told


@pytest.mark.parametrize("name", names(MANIFESTS))
def test_manifests_can_be_read_and_start_commands_that_exist(name: str) -> None:
    found = list(yaml.safe_load_all((ROOT / name).read_text()))
    started = [one["command"] for document in found for one in containers(document)]

    assert {document["kind"] for document in found} >= {"Deployment", "Job"}
    for program, verb, *words in started:
        assert program == "afterwork"
        assert {word for word in words if word.startswith("--")} <= options(main.commands[verb])


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []))


@pytest.mark.parametrize("name", names(FILES))
def test_each_setting_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    told = set(re.findall(r"\b[Ss]ettings\.(?!py\b|md\b)([a-z_]+)(?!\w|\()", text))
    told |= {word for found in re.findall(r"\bSettings\(([^)]*)\)", text) for word in re.findall(r"(\w+)=", found)}

    assert told <= {field.name for field in dataclasses.fields(aw.Settings)}


@pytest.mark.parametrize("name", names(FILES))
def test_each_environment_variable_exists(name: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    told = set(re.findall(r"\bAFTERWORK_[A-Z_]+\b", (ROOT / name).read_text())) - {"AFTERWORK_TOKEN"}

    assert all(f'"{one}"' in source for one in told)


@pytest.mark.parametrize("name", names(DOCS))
def test_each_link_within_the_repository_leads_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
