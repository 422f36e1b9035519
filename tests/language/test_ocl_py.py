"""Another implementation of OCL gives the same results, or others for a reason that `ocl_py.yaml` explains."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from afterwork.language.query import compile_query
from tests.support.language import model
from tests.support.language.cases import in_order, plain
from tests.support.language.model import Customer, Line, Order, Tag
from tests.support.language.ocl_py import answers

KNOWN = yaml.safe_load((Path(__file__).parent / "ocl_py.yaml").read_text(encoding="utf-8"))
DIFFERENT = [(*case, group["why"]) for group in KNOWN["differ"] for case in group["cases"]]
ALL = [*KNOWN["agree"], *(case[0] for case in DIFFERENT)]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """Yield all objects of the model, Ada first."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('ocl')}/shop.db")
    model.create(engine)
    with Session(engine) as session:
        yield [obj for cls in (Customer, Order, Line, Tag) for obj in session.scalars(select(cls).order_by(cls.id))]
    engine.dispose()


@pytest.fixture(scope="module")
def theirs(objects: list[Any]) -> dict[str, Any]:
    """Return the results of ocl-py by expression."""
    return {text: answer["value"] for text, answer in zip(ALL, answers(objects, ALL), strict=True)}


def ours(text: str, objects: list[Any]) -> tuple[Any, Any]:
    """Return the value and its type."""
    query = compile_query(text, model.names(), Customer, dialect="omg")
    kind = query.expression.tree.type
    return in_order(plain(query(objects[0])), kind), kind


@pytest.mark.parametrize("text", KNOWN["agree"])
def test_both_implementations_give_the_same_result(text: str, objects: list[Any], theirs: dict[str, Any]) -> None:
    value, kind = ours(text, objects)

    assert in_order(theirs[text], kind) == pytest.approx(value)


@pytest.mark.parametrize(("text", "here", "there", "why"), DIFFERENT)
def test_both_implementations_differ_as_the_file_explains(
    text: str, here: Any, there: Any, why: str, objects: list[Any], theirs: dict[str, Any]
) -> None:
    value, kind = ours(text, objects)

    assert value == in_order(here, kind)
    assert theirs[text] == there
    assert value != there, f"no longer so: {why}"
