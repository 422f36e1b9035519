"""The wheel in an environment that has nothing else: the tutorial, the command line, and the demo."""

from pathlib import Path

import pytest

from tests.release.conftest import ROOT, Installed, Release
from tests.support.pages import steps_of


@pytest.fixture(scope="module")
def shop(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tutorial was followed."""
    folder = tmp_path_factory.mktemp("shop")
    steps = steps_of("docs/tutorial.md", folder, installed.program("python"), **installed.environment)

    assert steps.printed == steps.shown
    return folder


def test_nothing_of_the_repository_is_used(installed: Installed, tmp_path: Path) -> None:
    where = Path(installed.run("python", "-c", "import afterwork; print(afterwork.__file__)", at=tmp_path).strip())

    assert where.is_relative_to(installed.folder)
    assert not where.is_relative_to(ROOT)


def test_the_tutorial_and_its_commands_work(installed: Installed, shop: Path) -> None:
    for command in ("check", "status"):
        said = installed.run("afterwork", command, "shop:app", "--database", "sqlite:///shop.db", at=shop)
        assert "WRONG" not in said


def test_the_readme_works(installed: Installed, tmp_path: Path) -> None:
    steps = steps_of("README.md", tmp_path, installed.program("python"), **installed.environment)

    assert steps.printed == steps.shown


def test_what_needs_an_extra_says_which(installed: Installed, tmp_path: Path) -> None:
    ended = installed.ended("afterwork", "demo", "--seconds", "1", at=tmp_path)

    assert ended.returncode == 1
    assert "pip install 'afterwork[demo]'" in ended.stderr


def test_the_demo_plays_from_the_wheel(installed: Installed, release: Release, tmp_path: Path) -> None:
    """Last in this file, since it brings what the extra needs."""
    installed.pip("install", "-c", str(ROOT / "constraints.txt"), f"{release.wheel}[demo]")

    said = installed.run("afterwork", "demo", "--seconds", "1", "--plain", at=tmp_path)

    assert "no gap, no double" in said
    assert " 0 wrong" in said
