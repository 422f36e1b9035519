"""The cases of `cases/*.yaml` and the examples of operators have the same results as values and as SQL, on both
databases."""

import pytest
from sqlalchemy.orm import Session

from afterwork.errors import LanguageError
from afterwork.language.operators.table import table
from afterwork.language.query import compile_action, compile_query
from afterwork.language.typed.operator import Operator
from tests.support.language.cases import Case, cases, in_order, plain, sql_or_none, value
from tests.support.language.model import Customer, names

OPERATORS = [operator for operators in table().values() for operator in operators]


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: f"{case.id} {case.expression[:60]}")
def test_a_case_has_the_same_result_as_a_value_and_as_sql(case: Case, session: Session) -> None:
    if case.error is not None:
        with pytest.raises(LanguageError) as caught:
            value(case, session)
        assert case.error in f"{type(caught.value).__name__}: {caught.value}"
        return
    kind = compile_query(case.expression, names(), Customer, dialect=case.dialect).expression.tree.type

    assert in_order(value(case, session), kind) == in_order(case.result, kind)

    by_sql, refused = sql_or_none(case, session)
    if refused is None:
        assert case.sql != "no", "it became SQL, though it must not"
        assert in_order(by_sql, kind) == pytest.approx(in_order(case.result, kind))
    else:
        assert case.sql != "yes", refused


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.text)
def test_the_example_of_an_operator_has_the_result_beside_it(operator: Operator, session: Session) -> None:
    expression, result = operator.example
    compiled = compile_action(f"let it = ({expression}) in it", names(), Customer)
    expected = compile_action(f"let it = ({result}) in it", names(), Customer)
    ada = session.get_one(Customer, 1)
    kind = compiled.expression.tree.type

    assert in_order(plain(compiled(ada, session=session)), kind) == in_order(
        plain(expected(ada, session=session)), kind
    )
    session.rollback()
