"""A market on each database, installed and empty."""

import pytest
from sqlalchemy import Engine

from tests.inversion.scene import Market


@pytest.fixture
def market(engine: Engine) -> Market:
    return Market(engine)
