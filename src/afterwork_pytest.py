"""The pytest plugin of Afterwork. pytest imports it at each start, so it imports nothing until a test asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from afterwork import Afterwork
    from afterwork.testing import Testing


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("afterwork_app", "The application under test, as MODULE:APP.", default="")
    parser.addini("afterwork_mode", "When jobs run in tests: inline, drain or none.", default="drain")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "afterwork(mode): when jobs run in this test: inline, drain or none.")


@pytest.fixture(scope="session")
def afterwork_app(pytestconfig: pytest.Config) -> "Afterwork":
    """The application under test: that of the setting `afterwork_app`. Override it to give another one."""
    from afterwork.app import application_at
    from afterwork.errors import NoApplicationUnderTest

    where = pytestconfig.getini("afterwork_app")
    if not where:
        raise NoApplicationUnderTest("pytest doesn't know the application under test.")
    return application_at(where, NoApplicationUnderTest)


@pytest.fixture
def afterwork_bind() -> Any:
    """The connection, or engine, that the code under test works with. Override it."""
    from afterwork.errors import NoTestDatabase

    raise NoTestDatabase("Afterwork doesn't know the database of this test.")


def _mode_of(marker: pytest.Mark) -> Any:
    """Return the mode that a marker gives. Raises `BadRequest` unless it gives that and nothing else."""
    from afterwork.errors import BadRequest

    match marker.args, marker.kwargs:
        case ([mode], {**others}) | ([], {"mode": mode, **others}) if not others:
            return mode
    given = ", ".join([*map(repr, marker.args), *(f"{name}={value!r}" for name, value in marker.kwargs.items())])
    raise BadRequest(
        f'@pytest.mark.afterwork({given}) gives no mode, or more than that. Give one: @pytest.mark.afterwork("inline")'
    )


@pytest.fixture
def afterwork(request: pytest.FixtureRequest, afterwork_app: "Afterwork", afterwork_bind: Any) -> Iterator["Testing"]:
    """The application under test: run its jobs, ask what was asked for, move its clock."""
    from afterwork.testing import Testing

    mode = request.config.getini("afterwork_mode")
    marker = request.node.get_closest_marker("afterwork")
    if marker is not None:
        mode = _mode_of(marker)
    with Testing(afterwork_app, afterwork_bind, mode).lasting() as testing:
        yield testing
