"""The stories of the shop are told of both: with its jobs in Python, and as data. Those of timers have an office."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import pytest
from sqlalchemy import Engine

from tests.support.office import Office, an_office

Tell = Callable[[ModuleType, Engine], None]


@pytest.fixture(params=["examples.shop", "examples.shop_as_data"], ids=["in_python", "as_data"])
def model(request: pytest.FixtureRequest) -> ModuleType:
    """A shop, with all its classes."""
    return import_module(request.param)


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
