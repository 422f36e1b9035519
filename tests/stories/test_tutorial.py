"""The README, the home page and the tutorial, step by step: the model grows, and each script prints what is shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation.blocks import WITH_SCRIPTS

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(python run|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", WITH_SCRIPTS)
def test_each_step_of_a_page_does_what_it_shows(page: str, tmp_path: Path) -> None:
    model = tmp_path / "shop.py"
    shown: list[str] = []
    printed: list[str] = []
    for kind, block in BLOCK.findall((ROOT / page).read_text()):
        match kind:
            case "python":
                model.write_text((model.read_text() if model.exists() else "") + block)
            case "python run":
                ran = subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", block],
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                printed.append(ran.stdout or ran.stderr)
            case _:
                shown.append(block)

    assert printed == shown
    assert shown
