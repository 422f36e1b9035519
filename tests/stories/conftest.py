"""The stories of the shop are told of both: with its jobs in Python, and as data. Those of timers have an office.

A story that is all about the shop is told of one of them on each database; a few are told of both on both."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest
from sqlalchemy import URL, Engine

from tests.support.office import Office, an_office

Tell = Callable[[ModuleType, Engine], None]


IN_PYTHON, AS_DATA = "examples.shop", "examples.shop_as_data"

of_both = pytest.mark.parametrize("model", [IN_PYTHON, AS_DATA], ids=["in_python", "as_data"], indirect=True)
"""For a story that is told of both shops on both databases."""


@pytest.fixture
def model(request: pytest.FixtureRequest, url: URL) -> ModuleType:
    """A shop, with all its classes."""
    other = IN_PYTHON if url.get_backend_name() == "sqlite" else AS_DATA
    return import_module(getattr(request, "param", other))


@pytest.fixture
def tell(model: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Tells a story, one of the modules of the examples, of that shop."""

    def told(story: ModuleType, engine: Engine) -> None:
        for name in vars(story).keys() & set(model.__all__):
            monkeypatch.setattr(story, name, getattr(model, name))
        story.main(engine)

    return told


@pytest.fixture
def office(engine: Engine) -> Office:
    """An office whose timers the test declares."""
    return an_office(engine)
