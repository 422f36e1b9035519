"""An empty database for each test.

One kind stands for both where tests are about what is the same on each: texts, pages, commands. Such tests import `url`
from here. Those of them in which a database behaves in a way of its own say that they run `ON_BOTH`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

KINDS = ["sqlite", "postgresql"]

ON_BOTH = pytest.mark.parametrize("url", KINDS, indirect=True)


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[URL]:
    """Have an empty database of the kind that a fixture is asked for; a file is in the folder."""
    if request.param == "sqlite":
        yield make_url(f"sqlite:///{folder / 'shop.db'}")
    else:
        with request.getfixturevalue("postgres_server").fresh_database() as database:
            yield database


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database: a file, unless a test asks for others."""
    with empty_database(request, tmp_path) as database:
        yield database
