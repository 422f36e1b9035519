"""The README, the home page and the tutorial, step by step: the model grows, and each script prints what is shown."""

from pathlib import Path

import pytest

from tests.documentation.blocks import WITH_SCRIPTS
from tests.support.pages import steps_of


@pytest.mark.parametrize("page", WITH_SCRIPTS)
def test_each_step_of_a_page_does_what_it_shows(page: str, tmp_path: Path) -> None:
    steps = steps_of(page, tmp_path)

    assert steps.printed == steps.shown
    assert steps.shown
