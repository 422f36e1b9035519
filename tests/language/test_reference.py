"""The reference lists each operator, and its examples are right."""

import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from afterwork.language.query import compile_query
from afterwork.language.reference import renewed
from tests.support.language.cases import in_order, plain
from tests.support.language.model import Customer, names

PAGE = (Path(__file__).parents[2] / "docs/reference/language.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```ocl\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [line.rsplit("--", 1) for block in BLOCKS for line in block.splitlines()]


def test_the_reference_lists_the_operators_of_the_table() -> None:
    assert renewed(PAGE) == PAGE, "renew it: python -m afterwork.language.reference docs/reference/language.md"


@pytest.mark.parametrize(("expression", "result"), EXAMPLES)
def test_an_example_of_the_reference_has_the_result_beside_it(expression: str, result: str, sqlite: Session) -> None:
    ada = sqlite.get_one(Customer, 1)
    query, expected = compile_query(expression, names(), Customer), compile_query(result, names(), Customer)
    kind = query.expression.tree.type

    assert in_order(plain(query(ada)), kind) == in_order(plain(expected(ada)), kind)
