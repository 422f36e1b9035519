"""Texts in statements without parameters, whatever is in them."""

import pytest
from sqlalchemy import Engine

from afterwork.store.literal_sql import dollar_quoted, execute_literally
from tests.support.marks import ONLY_POSTGRESQL

TEXTS = ["", "$", "it's", "$afterwork$", "x$afterwork", "$afterwork_$ $afterwork$", "100 %s \\ :a", "$1 ?"]


@ONLY_POSTGRESQL
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_itself(engine: Engine, text: str) -> None:
    with engine.connect() as connection:
        assert execute_literally(connection, f"SELECT {dollar_quoted(text)}").scalar_one() == text
