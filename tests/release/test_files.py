"""What is in a release, and what its metadata tells those who don't have it yet."""

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import afterwork as aw
from tests.release.conftest import ROOT, Release


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def requirements() -> ModuleType:
    """The script that prints them."""
    spec = importlib.util.spec_from_file_location("requirements", ROOT / "release" / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files_in(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith((".db", ".db-shm", ".db-wal"))
    }


# the files


def test_the_wheel_has_each_file_of_the_package(release: Release) -> None:
    wanted = files_in(ROOT / "src" / "afterwork")

    assert {"py.typed", "web/static/afterwork.css", "language/syntax/grammar.lark"} <= wanted
    assert {f"afterwork/{name}" for name in wanted} <= release.files_of_the_wheel


def test_the_wheel_has_the_shop_of_the_demo_and_nothing_else_of_the_repository(release: Release) -> None:
    shop = {f"afterwork/demo/examples/{name}" for name in files_in(ROOT / "examples") if name.startswith("shop")}
    package = {f"afterwork/{name}" for name in files_in(ROOT / "src" / "afterwork")}
    others = {name for name in release.files_of_the_wheel if ".dist-info/" not in name}

    assert others == package | shop | {"afterwork/demo/examples/__init__.py", "afterwork_pytest.py"}


def test_the_sdist_has_what_it_takes_to_test_it(release: Release) -> None:
    wanted = {"Makefile", "constraints.txt", "LICENSE", "CHANGELOG.md", "docs/tutorial.md", "release/requirements.py"}

    assert wanted <= release.files_of_the_sdist
    assert "tests/release/test_files.py" in release.files_of_the_sdist
    assert not any(name.startswith((".venv", "dist/")) for name in release.files_of_the_sdist)


# the metadata


def test_the_version_is_that_of_the_package(release: Release) -> None:
    assert release.metadata["Version"] == aw.__version__


def test_an_index_can_file_it(release: Release) -> None:
    said = release.metadata
    urls = {text.split(", ")[0] for text in said.get_all("Project-URL", [])}

    assert urls == {"Repository", "Documentation", "Changelog", "Issues"}
    assert (said["License-Expression"], said["Requires-Python"]) == ("MIT", ">=3.11")
    assert said["Description-Content-Type"] == "text/markdown"
    assert len(said["Keywords"].split(",")) >= 5
    assert "Typing :: Typed" in said.get_all("Classifier", [])


def test_the_versions_of_python_are_classified(release: Release) -> None:
    told = [text.split(" :: ")[-1] for text in release.metadata.get_all("Classifier", []) if "Python :: 3." in text]

    assert told == ["3.11", "3.12", "3.13"]


def test_tools_of_developers_are_no_extra(release: Release) -> None:
    assert set(release.metadata.get_all("Provides-Extra", [])) == {
        *("all", "postgresql", "cli", "demo", "yaml", "web", "opentelemetry", "alembic")
    }


def test_the_extra_all_has_all_others(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    named = re.fullmatch(r"afterwork\[([\w,]+)\]", *extras["all"])

    assert named is not None
    assert {*named[1].split(",")} == {*extras} - {"all"}


# the page of the project


def test_each_link_of_the_page_leads_into_the_release_that_it_is_about(release: Release) -> None:
    urls = dict(text.split(", ") for text in release.metadata.get_all("Project-URL", []))
    within = f"{urls['Repository']}/v{aw.__version__}/"
    links = re.findall(r"\]\(([^)]+)\)", release.description)

    assert len(links) > 10
    assert [link for link in links if not link.startswith(within)] == []
    assert [link for link in links if not (ROOT / link.removeprefix(within)).exists()] == []


def test_the_page_installs_from_the_index_and_not_from_a_copy(release: Release) -> None:
    assert "pip install afterwork" in release.description
    assert "Nothing is released yet" not in release.description
    assert "pip install ." not in release.description
    assert "python run" not in release.description


# the requirements


def test_each_package_that_users_may_get_has_a_lower_bound(project: dict[str, Any], requirements: ModuleType) -> None:
    promised = list(requirements.promised(project))

    assert len(promised) > 10
    assert [one for one in promised if ">=" not in one] == []


def test_the_lower_bounds_are_pinned_one_by_one(project: dict[str, Any], requirements: ModuleType) -> None:
    bounds = dict(line.split("==") for line in requirements.bounds(project))
    promised = {requirements.name_of(one): one for one in requirements.promised(project)}

    assert bounds["sqlalchemy"] == re.findall(r">=([\d.]+)", promised["sqlalchemy"])[0]
    assert {*promised} <= {*bounds}
    assert bounds["pytest"] == dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()
    ).get("pytest")


def test_a_group_has_what_the_groups_in_it_have(project: dict[str, Any], requirements: ModuleType) -> None:
    dev = list(requirements.group(project, "dev"))

    assert {"pytest", "mypy"} <= {*dev}
    assert all(isinstance(one, str) for one in dev)


def test_each_tool_of_developers_is_pinned(project: dict[str, Any], requirements: ModuleType) -> None:
    pinned = {requirements.name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    groups = [one for name in ("dev", "lowest") for one in requirements.group(project, name)]
    wanted = [*groups, *requirements.promised(project)]

    assert [one for one in wanted if requirements.name_of(one) not in pinned] == []


def test_the_program_for_pips_that_know_no_groups_needs_only_python() -> None:
    printed = subprocess.run(
        ["python3", "-I", str(ROOT / "release" / "requirements.py"), "dev"], capture_output=True, text=True, check=True
    )

    assert "pytest" in printed.stdout.splitlines()
