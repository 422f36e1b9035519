"""A market on each database, installed and empty, and other scenes."""

import pytest
from sqlalchemy import Engine

from tests.inversion.alike import Store, stock
from tests.inversion.scene import Market
from tests.inversion.till import Till
from tests.support.prepared import begin_with


@pytest.fixture
def market(engine: Engine) -> Market:
    return Market(engine)


@pytest.fixture
def till(engine: Engine) -> Till:
    return Till(engine)


@pytest.fixture
def store(engine: Engine) -> Store:
    begin_with(engine, stock)
    return Store(engine)
