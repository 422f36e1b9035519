"""The application and the database of a command: arguments, the environment, and [tool.afterwork] in pyproject.toml."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from afterwork.cli import main
from tests.support.command_line import run, told

DEPOT = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
import afterwork as aw

class Base(DeclarativeBase): ...
class SysAsyncTicket(aw.AsyncTicket, Base): ...

class {cls}(Base):
    __tablename__ = "crate"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method(lane="forklift")
    def lift(self) -> None: ...

app = aw.Afterwork(Base)
"""

PROJECT = '[tool.afterwork]\napp = "a_depot:app"\ndatabase = "sqlite:///depot.db"\n'

Write = Callable[[str, str], Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the applications a_depot:app and another_depot:app, and the databases depot.db and other.db."""
    known = {"a_depot": "Crate", "another_depot": "Box"}
    for module, cls in known.items():
        (tmp_path / f"{module}.py").write_text(DEPOT.format(cls=cls))
    for name in ("depot.db", "other.db"):
        with create_engine(f"sqlite:///{tmp_path / name}").connect() as connection:
            connection.execute(text("CREATE TABLE crate (id INTEGER PRIMARY KEY)"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for module in known:
        sys.modules.pop(module, None)


@pytest.fixture
def project(folder: Path) -> Path:
    """The pyproject.toml of the folder, which names a_depot:app and depot.db."""
    path = folder / "pyproject.toml"
    path.write_text(PROJECT)
    return path


def test_a_command_of_a_project_needs_no_arguments(project: Path) -> None:
    assert "Crate.lift" in told(run("check"), exit_code=1)
    assert "Create the application's own tables first" in told(run("check"), exit_code=1)


def test_the_project_is_found_upwards_and_its_paths_are_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project.parent / "docs" / "deep"
    below.mkdir(parents=True)
    (below.parent / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")  # which says nothing of Afterwork
    monkeypatch.chdir(below)

    assert "Create the application's own tables first" in told(run("check"), exit_code=1)


def test_the_nearest_project_is_meant(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project.parent / "below"
    below.mkdir()
    (below / "pyproject.toml").write_text('[tool.afterwork]\napp = "another_depot:app"\n')
    monkeypatch.chdir(below)
    monkeypatch.syspath_prepend(project.parent)

    assert "Box.lift" in told(run("check"))


@pytest.mark.parametrize(
    ("argument", "environment", "found"),
    [
        ("", "", "Crate.lift"),
        ("", "another_depot:app", "Box.lift"),
        ("another_depot:app", "nowhere:app", "Box.lift"),
        ("a_depot:app", "another_depot:app", "Crate.lift"),
    ],
)
def test_an_argument_goes_before_the_environment_and_that_before_the_project(
    project: Path, argument: str, environment: str, found: str
) -> None:
    arguments = ["model", *filter(None, [argument])]

    assert found.partition(".")[0] in told(run(*arguments, AFTERWORK_APP=environment))


def test_the_database_comes_from_the_option_then_the_environment_then_the_project(project: Path) -> None:
    def database(*arguments: str, environment: str = "") -> str:
        said = told(run("status", *arguments, AFTERWORK_DATABASE=environment), exit_code=1)
        return said.partition("There is no file ")[2].partition(".db")[0]

    for name in ("depot.db", "other.db"):
        (project.parent / name).unlink()

    assert database() == str(project.parent / "depot")
    assert database(environment="sqlite:///of_environment.db") == "of_environment"
    assert database("--database", "sqlite:///given.db", environment="sqlite:///of_environment.db") == "given"


def test_what_is_left_to_the_project_is_left_out_of_commands_that_are_shown(project: Path) -> None:
    told(run("model"))
    sys.modules["a_depot"].Base.metadata.create_all(create_engine("sqlite:///depot.db"))
    told(run("install"))

    assert told(run("status")).splitlines()[-1].strip() == "afterwork serve"
    assert told(run("status", "a_depot:app")).splitlines()[-1].strip() == "afterwork serve a_depot:app"


def test_commands_in_errors_are_as_one_types_them_here(project: Path) -> None:
    told(run("model"))
    sys.modules["a_depot"].Base.metadata.create_all(create_engine("sqlite:///depot.db"))
    url = "sqlite:///depot.db"

    assert told(run("status"), exit_code=1).strip().endswith("or: afterwork install")
    assert (
        told(run("status", "a_depot:app", "--database", url), exit_code=1)
        .strip()
        .endswith(f"or: afterwork install a_depot:app --database {url}")
    )


def test_commands_in_findings_are_as_one_types_them_here(project: Path) -> None:
    told(run("model"))
    sys.modules["a_depot"].Base.metadata.create_all(create_engine("sqlite:///depot.db"))
    url = "sqlite:///depot.db"

    assert "Run: afterwork install\n" in told(run("check"), exit_code=1)
    named = "check", "a_depot:app", "--database", url
    assert f"Run: afterwork install a_depot:app --database {url}\n" in told(run(*named), exit_code=1)
    findings = json.loads(told(run(*named, "--json"), exit_code=1))["findings"]
    assert f"Run: afterwork install a_depot:app --database {url}" in {finding["advice"] for finding in findings}


@pytest.mark.parametrize("arguments", [["pause", "lift:slow"], ["retry", "5"], ["caches", "Crate.total"]])
def test_a_name_is_no_application(project: Path, arguments: list[str]) -> None:
    assert "has no tables of Afterwork" in told(run(*arguments), exit_code=1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('app = "a_depot:ap"', "Invalid value for tool.afterwork.app in {path}: The module a_depot has no ap."),
        ('app = "a_depot"', "Invalid value for tool.afterwork.app in {path}: 'a_depot' is not of the form MODULE:APP"),
        ('app = "nowhere_at_all:app"', "tool.afterwork.app in {path}: There is no module nowhere_at_all"),
        ("app = 5", "tool.afterwork.app in {path}: it is a text, not 5."),
        ('app = ""', "tool.afterwork.app in {path}: it is a text, not ''."),
        ('ap = "a_depot:app"', "tool.afterwork.ap in {path}: there is no such key. Did you mean app?"),
        ('database = "mysql://host/x"', "tool.afterwork.database in {path}: Afterwork does not run on mysql://"),
        ('database = "shop"', "tool.afterwork.database in {path}: This is not the URL of a database"),
        ('database = "$NO_SUCH_URL"', "tool.afterwork.database in {path}: the environment has no NO_SUCH_URL"),
        ('database = "postgresql://ann:secret@host/x"', "tool.afterwork.database in {path}: it has a password"),
        ("database = [", "{path} can't be read"),
    ],
)
def test_what_is_wrong_in_a_project_is_told_with_its_file_and_key(project: Path, content: str, said: str) -> None:
    given = content if content.startswith("ap") else f'app = "a_depot:app"\n{content}'
    project.write_text(f"[tool.afterwork]\n{given}\n")

    output = told(run("check"), exit_code=2)

    assert said.format(path=project) in " ".join(output.split())
    assert "secret" not in output


def test_a_table_that_is_none_is_told(project: Path) -> None:
    project.write_text("[tool]\nafterwork = 5\n")

    assert f"tool.afterwork in {project}: it is a table, not 5." in told(run("check"), exit_code=2)


@pytest.mark.parametrize("written", ["$SHOP_URL", "${SHOP_URL}"])
def test_the_database_may_be_that_of_a_variable(project: Path, written: str) -> None:
    project.write_text(PROJECT.replace("sqlite:///depot.db", written))

    said = told(run("status", SHOP_URL="sqlite:///nowhere.db"), exit_code=1)

    assert f"There is no file {project.parent / 'nowhere.db'}" in said


def test_without_an_application_or_a_database_it_is_told_how_to_name_one(folder: Path) -> None:
    for said in (told(run("status"), exit_code=2), told(run("status", "a_depot:app"), exit_code=2)):
        assert "[tool.afterwork] in pyproject.toml" in " ".join(said.split())
    assert "AFTERWORK_APP" in told(run("status"), exit_code=2)
    assert "AFTERWORK_DATABASE" in told(run("status", "a_depot:app"), exit_code=2)


def test_an_argument_that_is_missing_beside_an_application_is_named(folder: Path) -> None:
    assert "Missing argument 'NAME'" in told(run("pause", "a_depot:app"), exit_code=2)


@pytest.mark.parametrize("name", sorted(set(main.commands) - {"demo"}))
def test_each_command_takes_its_application_from_the_environment(name: str, folder: Path) -> None:
    said = run(name, *_needed(name), AFTERWORK_APP="nowhere_at_all:app").output

    assert "Invalid value for AFTERWORK_APP: There is no module nowhere_at_all" in said


def _needed(name: str) -> list[str]:
    """As many words as a command needs."""
    return ["7" for one in main.commands[name].params if one.param_type_name == "argument" and one.required][1:]
