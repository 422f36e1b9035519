"""A market on each database, installed and empty."""

import pytest
from sqlalchemy import Engine

from tests.inversion.scene import Market
from tests.inversion.till import Till


@pytest.fixture
def market(engine: Engine) -> Market:
    return Market(engine)


@pytest.fixture
def till(engine: Engine) -> Till:
    return Till(engine)
