"""Marks for tests of what only one kind of database has, or does in a way that is its own."""

import pytest

ONLY_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

ONLY_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
