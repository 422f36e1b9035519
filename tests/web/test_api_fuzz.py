"""Whatever the API is asked by its own description, it answers as it says there: tried by schemathesis."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, BaseSchema, Case, Config
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from sqlalchemy import create_engine
from starlette.applications import Starlette

import afterwork as aw
from examples.shop import app, create
from tests.web.browser import scenes

TRIES = 12
"""Requests that are made up for each operation, besides those that the description tells by itself."""

TOKEN = "sesame"
CHECKS = {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 404]}}}
"""A text may be no key, or no search: that is found out when it is read, and the answer is 400."""
HEADERS = {"authorization": f"Bearer {TOKEN}"}


def page_of(path: Path) -> Starlette:
    """The page of a shop in which much has gone wrong."""
    engine = create_engine(f"sqlite:///{path}")
    create(engine)
    app.install(engine)
    scenes.failing(engine)
    return aw.web(app, engine, token=TOKEN)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> BaseSchema:
    page = page_of(tmp_path_factory.mktemp("fuzz") / "shop.db")
    return schemathesis.openapi.from_asgi("/api/openapi.json", page, headers=HEADERS, config=Config.from_dict(CHECKS))


MADE_UP = settings(
    max_examples=TRIES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def tried(operation: APIOperation[Any, Any, Any, Any]) -> str:
    """What was wrong with the answers of one operation, in words; nothing, if nothing was."""

    @MADE_UP
    @given(case=operation.as_strategy())
    def one(case: Case[Any]) -> None:
        case.call_and_validate(headers=HEADERS)

    try:
        one()
    except FailureGroup as found:
        return "\n".join(str(failure) for failure in found.exceptions)
    return ""


def test_the_api_answers_as_it_is_described(described: BaseSchema) -> None:
    operations = [found.ok() for found in described.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 20
    wrong = {operation.label: tried(operation) for operation in operations}
    assert {label: why for label, why in wrong.items() if why} == {}
