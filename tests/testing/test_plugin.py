"""The plugin of pytest, in projects that a real pytest runs: that of the how-to, and those that forget something."""

from dataclasses import replace
from pathlib import Path

import pytest

from afterwork.app import application_at
from afterwork.errors import NoApplicationUnderTest
from tests.support.postgres import Server
from tests.testing.projects import HOW_TO, Project, files_of

FILES = files_of(HOW_TO)
TESTS = {name: text for name, text in FILES.items() if name.startswith("test_")}
NUMBER = sum(text.count("\ndef test_") for text in TESTS.values())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write({name: text for name, text in FILES.items() if "/" not in name})
    return project


def test_the_tests_of_the_how_to_pass_without_a_line_for_the_plugin(project: Project) -> None:
    ran = project.run("-W", "error")

    assert (ran.counts("passed"), ran.code) == (NUMBER, 0), ran.said
    assert NUMBER == 9


def test_the_asynchronous_tests_of_the_how_to_pass(project: Project) -> None:
    project.write({name: text for name, text in FILES.items() if name.startswith("async/")})
    ran = project.run("async")
    assert (ran.counts("passed"), ran.code) == (1, 0), ran.said


def test_under_xdist_each_process_has_a_database_of_its_own(project: Project, postgres_server: Server) -> None:
    project.write({f"postgresql/{name}": text for name, text in TESTS.items()})
    project.write({name: text for name, text in FILES.items() if name.startswith("postgresql/")})
    with postgres_server.fresh_database() as database:
        url = database.render_as_string(hide_password=False)
        ran = project.run("-n", "2", "postgresql", environment={"DATABASE_URL": url})
    assert (ran.counts("passed"), ran.code) == (NUMBER, 0), ran.said


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_plugin_may_also_be_named(project: Project, is_installed: bool) -> None:
    project.write({"conftest.py": 'pytest_plugins = ["afterwork.testing"]\n' + FILES["conftest.py"]})
    ran = replace(project, is_installed=is_installed).run("test_none.py")
    assert (ran.counts("passed"), ran.code) == (1, 0), ran.said


def test_the_configuration_gives_the_mode_of_all_tests_that_say_nothing_else(project: Project) -> None:
    project.write({"pytest.ini": FILES["pytest.ini"] + "afterwork_mode = inline\n", "test_mode.py": MODES})
    ran = project.run("test_mode.py")
    assert (ran.counts("passed"), ran.code) == (3, 0), ran.said


MODES = """
import pytest
from shop import place_order

def test_of_the_configuration(afterwork, session):
    assert place_order(session, 12).customer.total == 12

@pytest.mark.afterwork(mode="drain")
def test_of_its_own(afterwork, session):
    assert place_order(session, 12).customer.total == 0

@pytest.mark.afterwork("none")
class TestOfAClass:
    def test_in_a_class(self, afterwork, session):
        assert place_order(session, 12).customer.total == 0
"""


def test_a_marker_gives_one_mode(project: Project) -> None:
    project.write({"test_marked.py": MARKED})
    ran = project.run("test_marked.py")
    assert (ran.counts("error"), ran.code) == (3, 1)
    assert "@pytest.mark.afterwork('inline', 'x') gives no mode, or more than that" in ran.said
    assert "@pytest.mark.afterwork(mood='inline') gives no mode, or more than that" in ran.said


MARKED = """
import pytest

@pytest.mark.afterwork("inline", "x")
def test_two(afterwork): ...

@pytest.mark.afterwork(mood="inline")
def test_another_word(afterwork): ...

@pytest.mark.afterwork
def test_none(afterwork): ...
"""


def test_who_forgets_something_is_told_what_to_do(project: Project) -> None:
    conftest = FILES["conftest.py"].replace("def afterwork_bind", "def bind")
    project.write({"pytest.ini": "[pytest]\n", "conftest.py": conftest, "test_unbound.py": UNBOUND})
    ran = project.run("test_none.py", "test_unbound.py")
    assert (ran.counts("error"), ran.code) == (2, 1)
    assert 'afterwork_app = "shop:app"' in ran.said
    assert "Override the fixture afterwork_bind" in ran.said


UNBOUND = """
import pytest, shop

@pytest.fixture
def afterwork_app():
    return shop.app

def test_it(afterwork): ...
"""


@pytest.mark.parametrize(
    ("where", "problem"),
    [("tests.testing.depot:apps", "is no aw.Afterwork"), ("tests.testing.dipot:app", "Importing tests.testing.dipot")],
)
def test_an_application_that_is_not_there_is_told(where: str, problem: str) -> None:
    with pytest.raises(NoApplicationUnderTest, match=problem):
        application_at(where, NoApplicationUnderTest)


def test_what_was_asked_for_instead_is_in_the_report_of_a_failed_test(project: Project) -> None:
    project.write({"test_fails.py": FAILS})
    ran = project.run("test_fails.py")
    assert "Order.remind on Order!1 at " in ran.said


FAILS = """
from shop import place_order

def test_it(afterwork, session):
    assert afterwork.asked(place_order(session, 12).ship)
"""


def test_a_project_that_does_not_use_the_fixture_imports_nothing_of_afterwork(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write({"test_other.py": OTHER})
    ran = project.run()
    assert ran.code == 0, ran.said


OTHER = """
import sys

def test_nothing_is_imported():
    assert [name for name in ("afterwork", "sqlalchemy") if name in sys.modules] == []
"""
